import { explainConnection } from './connection-errors.ts'
import type { Explanation } from './explanation.ts'
import { USERS } from './portals.ts'

/** An error that the gateway itself answered with. */
export interface GatewayError {
  /** `GATEWAY_USER_UNKNOWN` … */
  readonly code: string
  /** The message for the caller. */
  readonly message: string
  /** What lies behind it, the nearest first, as the log has it. */
  readonly causes?: readonly string[] | undefined
  /** The host that could not be reached, where that is what happened. */
  readonly host: string | undefined
  /** What the authority last refused, with what to do. */
  readonly lastFailure?: string | undefined
}

/** The cause of an error of the gateway, and the fix, for operators. */
export function explainGateway({
  code,
  message,
  causes = [],
  host = 'Dynamics',
  lastFailure,
}: GatewayError): Explanation {
  if (lastFailure !== undefined && OF_THE_CREDENTIAL.has(code)) {
    return {
      what: message,
      why: lastFailure,
      todo: 'Run `dynamics-gateway check`: it tries each step, and names the fix.',
    }
  }
  if (OF_THE_CONNECTION.has(code)) {
    const { why, todo } = explainConnection({ code: causes.map(codeOf).find((one) => one !== '') ?? 'unknown', host })
    return { what: `${message}${causes.length > 0 ? ` (${causes.join('; ')})` : ''}`, why, todo }
  }
  const [why, todo] = MEANINGS[code] ?? [
    causes.length > 0 ? `Behind it: ${causes.join('; ')}.` : 'The message says all that the gateway knows.',
    'Change the request as the message says, then send it again.',
  ]
  return { what: message, why: causes.length > 0 && code in MEANINGS ? `${why} (${causes.join('; ')})` : why, todo }
}

const OF_THE_CREDENTIAL = new Set(['GATEWAY_CREDENTIAL_REJECTED', 'GATEWAY_TOKEN_UNAVAILABLE'])
const OF_THE_CONNECTION = new Set(['GATEWAY_DYNAMICS_UNREACHABLE'])

/** The code at the beginning of a cause: `ECONNREFUSED: connect 127.0.0.1:443`. */
function codeOf(cause: string): string {
  return /^[A-Z][A-Z0-9_]{2,63}(?=:|$)/.exec(cause)?.[0] ?? ''
}

/** Dynamics ran a request as another user than the one that was found. A missing privilege is a 403 instead. */
export const IGNORES_UNKNOWN_ID = {
  why: 'Dynamics does not know the id that the gateway sends for this user, although the row of the user has it.',
  todo:
    `Compare the user's Entra object id with the one at ${USERS} → the user. Remove and add the user again if they ` +
    'differ',
}

const WAIT = 'Wait for the seconds in Retry-After, then send the request again.'

/** By code: why it comes, and what to do. */
const MEANINGS: Readonly<Record<string, readonly [why: string, todo: string]>> = {
  GATEWAY_ADDRESS_TOO_LONG: [
    'Dynamics takes no longer address, so the gateway passes none on.',
    'Send the query inside a $batch: a part may have an address of 65,536 characters.',
  ],
  GATEWAY_BAD_BATCH: [
    'The gateway reads each part of a $batch, so that the rules and the user hold for it. This one cannot be read, or a ' +
      'part of it asks for what may not be passed on.',
    'Correct the part that the message names. Dynamics got none of the batch.',
  ],
  GATEWAY_BAD_REQUEST: [
    'The head of the request can be read in more than one way, or holds what only the gateway may set.',
    'Change the request as the message says. Dynamics did not get it.',
  ],
  GATEWAY_BAD_USER_EMAIL: [
    'The user must be certain, so that no request runs as another user.',
    'Send the header once, with one e-mail address and nothing else.',
  ],
  GATEWAY_BODY_TOO_LARGE: [
    'The body is larger than the settings allow.',
    'Send less at once, or raise bodyLimit (BODY_LIMIT).',
  ],
  GATEWAY_CALLER_ID_NOT_ALLOWED: [
    'Dropping the header would run the request as another user, so the gateway refuses it.',
    'Leave the header out and send the e-mail address of the user, or let this caller send it: callerIds: allow.',
  ],
  GATEWAY_CALLER_KEYS_UNAVAILABLE: [
    "The public keys of the issuer of the caller's token cannot be read, so nothing can be proven.",
    'Let this machine reach the keys of the issuer (token.keys in the settings of the caller).',
  ],
  GATEWAY_CALLER_NOT_ALLOWED: [
    'The rules of this caller do not cover the request.',
    'If the caller should do this, add an allow rule that names it to the caller in the settings file.',
  ],
  GATEWAY_CALLER_UNKNOWN: [
    'Callers are listed in the settings, and this request proves to be from none of them: its key, token or ' +
      'certificate is missing, wrong or expired.',
    'Send a valid key as X-Api-Key or Authorization: Bearer. `dynamics-gateway key` makes one, with its hash.',
  ],
  GATEWAY_CIRCUIT_OPEN: [
    'The last connections to Dynamics all failed, so the gateway spares callers the wait and probes by itself.',
    'Look at the requests before this one: the first that failed says why.',
  ],
  GATEWAY_CREDENTIAL_REJECTED: [
    'The authority does not accept the credential of the gateway.',
    'Run `dynamics-gateway check`: it says which part of the credential is wrong, and the fix.',
  ],
  GATEWAY_DYNAMICS_ANSWER_INVALID: [
    'The response is not one of the Web API: something on the way responded, or the response is broken.',
    'Check the proxy (HTTPS_PROXY) and the firewall on the way, then run `dynamics-gateway check`.',
  ],
  GATEWAY_DYNAMICS_BROKE_OFF: [
    'The connection ended after the request was sent and before the response was complete.',
    'For a change, look first whether it was made; then send it again.',
  ],
  GATEWAY_DYNAMICS_TOO_SLOW: [
    'Dynamics, or the way to it, took longer than the limit that the message names.',
    'Ask for less at once ($select, $top, a narrower $filter), or raise the limit in the settings.',
  ],
  GATEWAY_EXPECTATION_FAILED: [
    'The request expects something that the gateway does not know.',
    'Leave the header Expect out, or send Expect: 100-continue.',
  ],
  GATEWAY_HEAD_TOO_LARGE: [
    'Cookies or many headers make the head of the request larger than Dynamics would take.',
    'Send fewer headers; cookies mean nothing to the gateway.',
  ],
  GATEWAY_HOST_NOT_ALLOWED: [
    'A page whose name is made to point here (DNS rebinding) sends such a name, so only known names pass.',
    'Call the gateway as 127.0.0.1 or localhost, or add the name to ALLOWED_HOSTS.',
  ],
  GATEWAY_IMPERSONATION_IGNORED: [IGNORES_UNKNOWN_ID.why, `${IGNORES_UNKNOWN_ID.todo}.`],
  GATEWAY_IMPERSONATION_UNSUPPORTED: [
    'Only Dataverse acts as another user.',
    'Leave the e-mail header out, or set IMPERSONATION=off.',
  ],
  GATEWAY_INTERNAL: [
    'This is a fault of the gateway.',
    'Report it with the line of the log that has this request id; it holds no data of yours.',
  ],
  GATEWAY_LIMIT_HOLDS: ['Dynamics answered 429 to an earlier request of this application user.', WAIT],
  GATEWAY_METHOD_NOT_ALLOWED: [
    'The Web API does not have this method.',
    'Use the method that the message names: PATCH to change a row, POST to create one.',
  ],
  GATEWAY_NOT_FOUND: [
    'Nothing is configured at this address.',
    'Begin the path with an entity set, or with the name of the target where there are several: /-/ lists them.',
  ],
  GATEWAY_NOT_IN_MEMORY: [
    'The request asks for a response from memory only (Cache-Control: only-if-cached), and none is there that is fresh ' +
      'enough.',
    'Leave only-if-cached out, or keep the entity set with reads.keep.',
  ],
  GATEWAY_ORIGIN_NOT_ALLOWED: [
    'A browser says that a page of another origin sent the request, or the request lacks the required header.',
    'Add the origin to ALLOWED_ORIGINS, if its pages may use everything that this gateway may do.',
  ],
  GATEWAY_OVERLOADED: ['This process has more to do than one core can.', WAIT],
  GATEWAY_QUEUE_FULL: ['More requests wait for their turn at Dynamics than MAX_QUEUE allows.', WAIT],
  GATEWAY_REQUEST_TOO_SLOW: [
    'The body stopped arriving for longer than bodyTimeout.',
    'Look at the network between the caller and the gateway, then send the request again.',
  ],
  GATEWAY_ROW_TOO_LONG: [
    'A row is buffered until it is complete, so that a break never leaves half a line.',
    'Leave large columns out with $select, or read the row by its key.',
  ],
  GATEWAY_STOPPING: ['The gateway received a signal to stop.', 'Send the request again in a moment.'],
  GATEWAY_TOKEN_REFUSED: [
    'Dynamics refused a new access token, too: it is for another environment or tenant, or access was taken away.',
    'Run `dynamics-gateway check`: it compares the token with the environment.',
  ],
  GATEWAY_TOKEN_UNAVAILABLE: ['The authority gives no access token for now.', WAIT],
  GATEWAY_USER_AMBIGUOUS: [
    'Several enabled users have the address, and taking one of them would be a guess.',
    `At ${USERS} leave the primary e-mail address to one of them.`,
  ],
  GATEWAY_USER_BLOCKED: [
    "A Conditional Access policy does not let this person reach Dynamics through the gateway's app.",
    "Open the person's sign-in log in Entra: it names the policy. Change the policy, or the device that the person uses.",
  ],
  GATEWAY_USER_CLAIMS_REQUIRED: [
    'A policy asks for more proof of the person than their sign-in has given: a second factor, or another device.',
    'Pass the claims of WWW-Authenticate to the sign-in library of the app, and send the token that it then gets.',
  ],
  GATEWAY_USER_CONSENT_MISSING: [
    "Nobody has consented that the gateway's app registration reaches Dynamics for people.",
    'Run `dynamics-gateway consent`: an administrator opens the address that it prints.',
  ],
  GATEWAY_USER_DISABLED: [
    'The user has this address and is disabled; a licence that is taken away disables.',
    `Give the user a licence again, or enable the user at ${USERS}.`,
  ],
  GATEWAY_USER_LOOKUP_FAILED: [
    'Dynamics did not answer the lookup of the user as it should.',
    'Run `dynamics-gateway check --user` with the address: it names what is missing.',
  ],
  GATEWAY_USER_LOOKUP_TOO_SLOW: [
    'The lookup took longer than lookupTimeout, or too many waited for theirs.',
    'Send the request again; raise lookupsPerSecond if many users are new at the same time.',
  ],
  GATEWAY_USER_NOT_ALLOWED: [
    'The settings name the users that this caller may act as, and this one is not among them.',
    'Add the address, or its domain, to users of this caller in the settings file.',
  ],
  GATEWAY_USER_NOT_PERSON: [
    'Acting as an application or system user would give the caller the rights of the machine.',
    'Send the e-mail address of a person, or leave the header out.',
  ],
  GATEWAY_USER_REQUIRED: [
    'IMPERSONATION=required: nothing runs as the application user.',
    'Send the e-mail address of the user in the header that the message names.',
  ],
  GATEWAY_USER_SIGN_IN_REQUIRED: [
    'The sign-in of the person was revoked, or the password was changed.',
    'Let the person sign in to the app again.',
  ],
  GATEWAY_USER_TOKEN_EXPIRED: [
    'The token that the app sent for the person has ended.',
    'Ask the sign-in library for a token before each request: it renews an old one by itself.',
  ],
  GATEWAY_USER_TOKEN_FOR_ANOTHER_APP: [
    "Entra exchanges only tokens whose audience is the app registration of the gateway's credential.",
    "Ask the sign-in library for a scope of that app, and compare token.audience of the caller with the credential's client id.",
  ],
  GATEWAY_USER_TOKEN_REQUIRED: [
    'The credential is of kind on-behalf-of: nothing runs as the application.',
    "Send the person's token as Authorization: Bearer; for jobs use a credential with an application user.",
  ],
  GATEWAY_USER_UNKNOWN: [
    'The address is compared with the primary e-mail address of each user, not with aliases or the sign-in name.',
    `At ${USERS} → Add user add the person; or send the address that is the Primary Email of the user there.`,
  ],
  GATEWAY_USER_WITHOUT_ACCESS: [
    "The account is disabled, is not in the tenant of the environment, or is not assigned to the gateway's app.",
    'Enable the account, invite it as a guest, or assign it under Entra → Enterprise applications → the app.',
  ],
}
