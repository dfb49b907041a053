import createError from '@fastify/error'

// Every error of the gateway itself. A code is interface: never renamed, never reused.
// Texts contain no address, token or secret, nor anything from one; the cause is for the log.

/** The gateway cannot forward the address or head of the request safely. */
export const BadRequest = createError('GATEWAY_BAD_REQUEST', '%s', 400)

/** The request itself names the user to act as; only the gateway may do that. */
export const CallerIdNotAllowed = createError(
  'GATEWAY_CALLER_ID_NOT_ALLOWED',
  'The header %s is set by the gateway. Leave it out, and name the user by e-mail address or Entra object id.',
  400,
)

/** The header with the user's e-mail address is repeated, empty, a list, or no address at all. */
export const BadUserEmail = createError(
  'GATEWAY_BAD_USER_EMAIL',
  'The header %s must hold exactly one e-mail address of at most 100 characters: %s.',
  400,
)

/** The header with the user's Entra object id is repeated, empty, or no object id. */
export const BadUserId = createError(
  'GATEWAY_BAD_USER_ID',
  'The header %s must hold exactly one Entra object id, a GUID without braces: %s.',
  400,
)

/** The environment's product has no impersonation (Finance & Operations, Business Central). */
export const ImpersonationUnsupported = createError(
  'GATEWAY_IMPERSONATION_UNSUPPORTED',
  'This environment cannot act as a user: leave the header %s out, or ask the operator to set IMPERSONATION=off.',
  400,
)

/** A body that must be parsed before it is forwarded (`$batch`) is not well-formed. */
export const BadBatch = createError('GATEWAY_BAD_BATCH', 'The $batch request cannot be passed on. %s', 400)

/** The `Idempotency-Key` is not well-formed, or the request is not one whose key can be kept. Nothing was sent. */
export const BadIdempotencyKey = createError(
  'GATEWAY_BAD_IDEMPOTENCY_KEY',
  'The Idempotency-Key cannot be honoured: %s. Nothing was sent.',
  400,
)

/** The gateway's own preference in `Prefer` is not one that it knows, or is where it has no meaning. */
export const BadPreference = createError(
  'GATEWAY_BAD_PREFERENCE',
  'The preference gateway.priority cannot be applied: %s. Nothing was sent.',
  400,
)

/** No known caller sent this request. */
export const CallerUnknown = createError('GATEWAY_CALLER_UNKNOWN', 'The gateway does not know this caller: %s.', 401)

/** The caller's rules do not cover the request. The text names the rule. */
export const CallerNotAllowed = createError('GATEWAY_CALLER_NOT_ALLOWED', '%s', 403)

/**
 * Entra or Dynamics requires more of the person than their token proves. The response's `WWW-Authenticate` has the
 * claims, so that the library of the app can ask the person.
 */
export const UserClaimsRequired = createError(
  'GATEWAY_USER_CLAIMS_REQUIRED',
  'The person must sign in again, with more proof: pass the claims in WWW-Authenticate to the sign-in library, ' +
    'then send its new token.',
  401,
)

/** The person's token cannot be exchanged any more: it was revoked, or the password was changed. */
export const UserSignInRequired = createError(
  'GATEWAY_USER_SIGN_IN_REQUIRED',
  'Microsoft Entra does not accept the sign-in of this person any more: let them sign in again, then send the new token.',
  401,
)

/** The person's token has expired. */
export const UserTokenExpired = createError(
  'GATEWAY_USER_TOKEN_EXPIRED',
  "The person's token has expired: get a new one from the sign-in library, then try again.",
  401,
)

/** The person's token is one for another app than that of the gateway. */
export const UserTokenForAnotherApp = createError(
  'GATEWAY_USER_TOKEN_FOR_ANOTHER_APP',
  "The person's token is not for the gateway's app registration: ask the sign-in library for the scope %s.",
  401,
)

/** The environment accepts only requests with a person's token. */
export const UserTokenRequired = createError(
  'GATEWAY_USER_TOKEN_REQUIRED',
  "Only signed-in people can use this environment: send the person's token for the gateway's app " +
    'registration as "Authorization: Bearer".',
  401,
)

/** Nobody has consented that the gateway's app reaches Dynamics for people. */
export const UserConsentMissing = createError(
  'GATEWAY_USER_CONSENT_MISSING',
  "The gateway's app may not reach Dynamics 365 for people yet: an administrator must consent to its permission " +
    'user_impersonation; `dynamics-gateway consent` prints the address.',
  403,
)

/** A Conditional Access policy does not let this person reach Dynamics this way. */
export const UserBlocked = createError(
  'GATEWAY_USER_BLOCKED',
  'A Conditional Access policy does not let this person reach Dynamics 365 through the gateway. Ask an administrator ' +
    "to look at the person's sign-in log.",
  403,
)

/** The person's account is disabled, is not in the tenant, or is not assigned to the app. */
export const UserWithoutAccess = createError(
  'GATEWAY_USER_WITHOUT_ACCESS',
  'This person has no access in the tenant of the environment: the account is disabled, is not a guest of the tenant, ' +
    'or is not assigned to the app. Ask an administrator to change this.',
  403,
)

/** Impersonation is required and the request names no user. */
export const UserRequired = createError(
  'GATEWAY_USER_REQUIRED',
  "Every request must name its user: send the user's e-mail address in the header %s, or the Entra object id in %s.",
  403,
)

/** No user of the environment has the e-mail address or object id. */
export const UserUnknown = createError(
  'GATEWAY_USER_UNKNOWN',
  'No user of the environment has %s. Add the user to the environment, or correct what the request names.',
  403,
)

/** The user exists and is disabled. */
export const UserDisabled = createError(
  'GATEWAY_USER_DISABLED',
  'The user with %s is disabled in the environment. Enable the user (removing a licence disables a user), then try again.',
  403,
)

/** More than one enabled user has the address or id; taking one of them would be a guess. */
export const UserAmbiguous = createError(
  'GATEWAY_USER_AMBIGUOUS',
  'Several enabled users of the environment have %s. Remove it from all but one of them, then try again.',
  403,
)

/** The only user with the address or id is an application user, a support user or built in. */
export const UserNotPerson = createError(
  'GATEWAY_USER_NOT_PERSON',
  'The user with %s is an application or system user, which the gateway does not act as. Name a person.',
  403,
)

/** The caller may not act as this user. */
export const UserNotAllowed = createError('GATEWAY_USER_NOT_ALLOWED', 'This caller may not act as this user: %s.', 403)

/** A web page of another origin, or a request without the required header. */
export const OriginNotAllowed = createError('GATEWAY_ORIGIN_NOT_ALLOWED', '%s', 403)

/** The request has a host name that is not the gateway's. */
export const HostNotAllowed = createError(
  'GATEWAY_HOST_NOT_ALLOWED',
  "This host name is not one of the gateway's. Use a loopback address, " +
    'or ask the operator to add the name to ALLOWED_HOSTS.',
  421,
)

/** Neither the gateway nor the Web API has this address. A second sentence says what to write, if that is known. */
export const NotFound = createError('GATEWAY_NOT_FOUND', 'There is nothing at this address%s.', 404)

/** A row is too long for a stream of rows. */
export const RowTooLong = createError(
  'GATEWAY_ROW_TOO_LONG',
  'A row has more than %s bytes, the most that a line of application/x-ndjson may have here. Leave large columns out ' +
    'with $select, or read the row by its key without this Accept header.',
  406,
)

/** All rows are requested of a resource that is not a collection, or cannot be had as rows. */
export const NotACollection = createError(
  'GATEWAY_NOT_A_COLLECTION',
  'Accept: application/x-ndjson is for reading the rows of a collection: %s.',
  406,
)

/** A method that neither the Web API nor the gateway has. */
export const MethodNotAllowed = createError(
  'GATEWAY_METHOD_NOT_ALLOWED',
  'This method is not supported. Use one of %s.',
  405,
)

/** The method QUERY, where this Node cannot read it. */
export const QueryMethodUnsupported = createError(
  'GATEWAY_METHOD_NOT_ALLOWED',
  'This gateway runs on a Node that does not know the method QUERY. Send the same body as a POST, with /$query at the ' +
    'end of the path.',
  405,
)

/** A row was created with this `Idempotency-Key`, and it cannot be read to be compared with the body. */
export const KeyedRowUnreadable = createError(
  'GATEWAY_KEYED_ROW_UNREADABLE',
  'A row was created with this Idempotency-Key before, but the user may not read it, so it cannot be compared ' +
    'with this body. No second row was made. Give the user the right to read it.',
  409,
)

/** The caller was too slow to send its request. */
export const RequestTooSlow = createError(
  'GATEWAY_REQUEST_TOO_SLOW',
  'The request was not received in time. Send it again.',
  408,
)

/** The body is larger than the gateway's limit. */
export const BodyTooLarge = createError(
  'GATEWAY_BODY_TOO_LARGE',
  'The body is larger than the limit of %s bytes. Send less at once, or ask the operator to raise the limit.',
  413,
)

/** The same for a `$batch` in JSON, which is buffered until it is complete. */
export const BatchTooLarge = createError(
  'GATEWAY_BODY_TOO_LARGE',
  'A $batch in JSON has a limit of %s bytes. Send several batches, or send it as multipart/mixed.',
  413,
)

/** The address is longer than any that Dynamics takes, and the request is not one that can go inside a `$batch`. */
export const AddressTooLong = createError(
  'GATEWAY_ADDRESS_TOO_LONG',
  'The address is longer than 32,768 characters, which only reads of the Dataverse Web API may have. Make it shorter.',
  414,
)

/** The query is longer than any that Dynamics takes, in whatever form. */
export const QueryTooLong = createError(
  'GATEWAY_ADDRESS_TOO_LONG',
  'The query and its path have more than 65,536 characters, the most that Dynamics 365 takes in any form. ' +
    'Split it into several queries, or save it as a view and send its id as savedQuery.',
  414,
)

/** The body of a `QUERY` or `POST …/$query` is of a media type that holds no query options, or is encoded. */
export const QueryTypeUnsupported = createError(
  'GATEWAY_QUERY_TYPE_UNSUPPORTED',
  'A query in the body needs a Content-Type of application/x-www-form-urlencoded or text/plain, and no Content-Encoding.',
  415,
)

/** The body of a `QUERY` or `POST …/$query` is not a list of query options. */
export const BadQuery = createError('GATEWAY_BAD_QUERY', 'The body is not a query: %s.', 400)

/** The `Idempotency-Key` came with another body before, or its row has been changed since. */
export const IdempotencyKeyReused = createError(
  'GATEWAY_IDEMPOTENCY_KEY_REUSED',
  'A row was created with this Idempotency-Key, and it differs from this body. No second row was made: ' +
    'use a new key for a new row, and the same body for the same key.',
  422,
)

/** The `Expect` header has an unsupported value. */
export const ExpectationFailed = createError(
  'GATEWAY_EXPECTATION_FAILED',
  'The gateway supports Expect: 100-continue only. Send no other Expect header.',
  417,
)

/** The header lines of the request are larger than 64 KiB or more than 100. */
export const HeadTooLarge = createError(
  'GATEWAY_HEAD_TOO_LARGE',
  'The header lines of the request are larger than 64 KiB, or more than 100. Send fewer or shorter headers.',
  431,
)

/** The queue for Dynamics is full. */
export const QueueFull = createError(
  'GATEWAY_QUEUE_FULL',
  'Too many requests are waiting for Dynamics 365. Try again after the seconds in Retry-After.',
  429,
)

/** Dynamics' service protection limits are exceeded for this gateway's application user. */
export const LimitHolds = createError(
  'GATEWAY_LIMIT_HOLDS',
  'Dynamics 365 has asked this gateway to wait (service protection limits). ' +
    'Try again after the seconds in Retry-After.',
  429,
)

/** An internal error of the gateway. The log has the cause. */
export const InternalFault = createError(
  'GATEWAY_INTERNAL',
  "Something went wrong inside the gateway. Its log has the cause, with this request's id.",
  500,
)

/** The authority refused the gateway's credential; `cause` holds Microsoft's AADSTS error. */
export const CredentialRejected = createError(
  'GATEWAY_CREDENTIAL_REJECTED',
  "Microsoft Entra refused the gateway's credential. The gateway's log says why; " +
    '`dynamics-gateway check` says how to fix it.',
  502,
)

/** Dynamics refused a new access token as well. */
export const TokenRefused = createError(
  'GATEWAY_TOKEN_REFUSED',
  "Dynamics 365 refused the gateway's access token. The gateway's log has details; " +
    '`dynamics-gateway check` says how to fix it.',
  502,
)

/** No trusted connection to Dynamics, or it broke before anything was sent. */
export const DynamicsUnreachable = createError(
  'GATEWAY_DYNAMICS_UNREACHABLE',
  "Dynamics 365 cannot be reached. The gateway's log says why; `dynamics-gateway check` says how to fix it.",
  502,
)

/** The connection broke after the request was sent, which may have been executed, or in the middle of the response. */
export const DynamicsBrokeOff = createError(
  'GATEWAY_DYNAMICS_BROKE_OFF',
  'The connection to Dynamics 365 broke before the response was complete.',
  502,
)

/** The response is not HTTP, or not one of the Web API. */
export const DynamicsAnswerInvalid = createError(
  'GATEWAY_DYNAMICS_ANSWER_INVALID',
  "The response of Dynamics 365 cannot be passed on. The gateway's log says why.",
  502,
)

/** A create with an `Idempotency-Key` made a row whose primary key is not the chosen one. The text has its id. */
export const KeyedRowIdDiffers = createError(
  'GATEWAY_KEYED_ROW_ID_DIFFERS',
  'Dynamics 365 created the row with the id %s, which is not the one of the Idempotency-Key. Do not send the create ' +
    'again: it would make another row. Find out which plug-in changes primary keys, and leave ' +
    'the Idempotency-Key out for this table.',
  502,
)

/** The user could not be looked up; nothing was sent. */
export const UserLookupFailed = createError(
  'GATEWAY_USER_LOOKUP_FAILED',
  "The user could not be looked up in Dynamics 365, so nothing was sent. The gateway's log says why.",
  502,
)

/** The definition of a table could not be read, which a create with an `Idempotency-Key` needs; nothing was sent. */
export const TableLookupFailed = createError(
  'GATEWAY_TABLE_LOOKUP_FAILED',
  'The definition of the table could not be read in Dynamics 365, which an Idempotency-Key needs, so the create was ' +
    "not sent. The gateway's log says why.",
  502,
)

/** Dynamics ran the request as another user than the one that was looked up. */
export const ImpersonationIgnored = createError(
  'GATEWAY_IMPERSONATION_IGNORED',
  "Dynamics 365 did not act as this user, so nothing was sent. The gateway's log says why.",
  502,
)

/** There is no token, and the authority issues none for now. */
export const TokenUnavailable = createError(
  'GATEWAY_TOKEN_UNAVAILABLE',
  'No access token is available at the moment. Try again after the seconds in Retry-After.',
  503,
)

/** The signing keys of callers' tokens are not available, so no token can be verified. */
export const CallerKeysUnavailable = createError(
  'GATEWAY_CALLER_KEYS_UNAVAILABLE',
  "The caller's token cannot be checked at the moment, because its issuer's keys are not available. " +
    'Try again after the seconds in Retry-After.',
  503,
)

/** The gateway is stopping. */
export const Stopping = createError('GATEWAY_STOPPING', 'The gateway is stopping. Try again in a moment.', 503)

/** Connections to Dynamics keep failing, so the circuit breaker is open. */
export const CircuitOpen = createError(
  'GATEWAY_CIRCUIT_OPEN',
  'Dynamics 365 could not be reached several times in a row. Try again after the seconds in Retry-After.',
  503,
)

/** The gateway itself is overloaded. */
export const Overloaded = createError(
  'GATEWAY_OVERLOADED',
  'The gateway is overloaded at the moment. Try again after the seconds in Retry-After.',
  503,
)

/** Dynamics sent no response in time. The text has the timeout. */
export const DynamicsTooSlow = createError('GATEWAY_DYNAMICS_TOO_SLOW', 'Dynamics 365 did not answer in time: %s.', 504)

/** The caller takes the response from memory only, and it is not there. */
export const NotInMemory = createError(
  'GATEWAY_NOT_IN_MEMORY',
  'The response is not in memory, and Cache-Control: only-if-cached asks for nothing else. Leave only-if-cached out.',
  504,
)

/** The lookup of the user took too long; nothing was sent. */
export const UserLookupTooSlow = createError(
  'GATEWAY_USER_LOOKUP_TOO_SLOW',
  'The user could not be looked up in time, so nothing was sent. Send the request again.',
  504,
)

/** Whether `error` is one of this file, so that its text may be shown to the caller. */
export function isGatewayError(error: unknown): boolean {
  return error instanceof Error && (error as { readonly code?: string }).code?.startsWith('GATEWAY_') === true
}

/** Data of an error besides its text. */
export interface RetryLater {
  /** Seconds, an integer of at least 1, for the Retry-After header. */
  retryAfter?: number
}

/** `error` with the seconds after which the caller may try again. */
export function retryLater<E extends Error>(error: E, milliseconds: number): E & RetryLater {
  return Object.assign(error, { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) })
}
