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
    `Compare the user's Entra object id with the one in ${USERS} → the user. If they differ, remove the user ` +
    'and add them again',
}

const WAIT = 'Wait for the seconds in Retry-After, then send the request again.'

/** By code: why it comes, and what to do. */
const MEANINGS: Readonly<Record<string, readonly [why: string, todo: string]>> = {
  GATEWAY_ADDRESS_TOO_LONG: [
    'Dynamics takes addresses of up to 32,768 characters, and up to 65,536 for reads of Dataverse.',
    'Split the query into several, or save it as a view and send savedQuery=<id>.',
  ],
  GATEWAY_BAD_BATCH: [
    'The gateway reads each part of a $batch, so that rules and the user apply to it. This one cannot be read, or a ' +
      'part of it may not be passed on.',
    'Correct the part that the message names. Dynamics got none of the batch.',
  ],
  GATEWAY_BAD_REQUEST: [
    'The head of the request can be read in more than one way, or holds what only the gateway may set.',
    'Change the request as the message says. Dynamics did not get it.',
  ],
  GATEWAY_BAD_USER_EMAIL: [
    'An unclear address could run the request as another user, so the gateway refuses it.',
    'Send the header once, with one e-mail address and nothing else.',
  ],
  GATEWAY_BODY_TOO_LARGE: [
    'The body is larger than the settings allow.',
    'Send less at once, or raise bodyLimit (BODY_LIMIT), or keepBody for a create with an Idempotency-Key.',
  ],
  GATEWAY_CALLER_ID_NOT_ALLOWED: [
    'Dropping the header would run the request as another user, so the gateway refuses it.',
    'Leave the header out, and send the e-mail address or the Entra object id of the user; or let this caller send it: ' +
      'callerIds: allow.',
  ],
  GATEWAY_CALLER_KEYS_UNAVAILABLE: [
    "The public keys of the issuer of the caller's token cannot be read, so the token cannot be verified.",
    'Let this machine reach the keys of the issuer (token.keys in the settings of the caller).',
  ],
  GATEWAY_CALLER_NOT_ALLOWED: [
    'The rules of this caller do not cover the request.',
    'If the caller should do this, add an allow rule that names it to the caller in the settings file.',
  ],
  GATEWAY_CALLER_UNKNOWN: [
    'The settings list callers, and this request comes from none of them: its key, token or certificate is missing, ' +
      'wrong or expired.',
    'Send a valid key as X-Api-Key or Authorization: Bearer. `dynamics-gateway key` generates one, with its hash.',
  ],
  GATEWAY_CIRCUIT_OPEN: [
    'The last connections to Dynamics all failed, so the gateway refuses requests at once and tests the connection itself.',
    'Look at the requests before this one: the first that failed says why.',
  ],
  GATEWAY_CREDENTIAL_REJECTED: [
    'The authority does not accept the credential of the gateway.',
    'Run `dynamics-gateway check`: it says which part of the credential is wrong, and the fix.',
  ],
  GATEWAY_DYNAMICS_ANSWER_INVALID: [
    'The response is not one of the Web API: a proxy or firewall on the way responded, or the response is broken.',
    'Check the proxy (HTTPS_PROXY) and the firewall on the way, then run `dynamics-gateway check`.',
  ],
  GATEWAY_DYNAMICS_BROKE_OFF: [
    'The connection ended after the request was sent and before the response was complete.',
    'Check whether a change was made before you send it again.',
  ],
  GATEWAY_DYNAMICS_TOO_SLOW: [
    'Dynamics, or the network on the way, took longer than the limit that the message names.',
    'Ask for less at once ($select, $top, a narrower $filter), or raise the limit in the settings.',
  ],
  GATEWAY_EXPECTATION_FAILED: [
    'The request has an Expect header that the gateway does not support.',
    'Leave the header Expect out, or send Expect: 100-continue.',
  ],
  GATEWAY_HEAD_TOO_LARGE: [
    'Cookies or many headers make the head of the request larger than Dynamics would accept.',
    'Send fewer or shorter headers. The gateway forwards no cookies, so leave them out.',
  ],
  GATEWAY_HOST_NOT_ALLOWED: [
    'A web page can make its own host name point to the gateway (DNS rebinding), so only known names are accepted.',
    'Call the gateway as 127.0.0.1 or localhost, or add the name to ALLOWED_HOSTS.',
  ],
  GATEWAY_IMPERSONATION_IGNORED: [IGNORES_UNKNOWN_ID.why, `${IGNORES_UNKNOWN_ID.todo}.`],
  GATEWAY_IMPERSONATION_UNSUPPORTED: [
    'Only Dataverse acts as another user.',
    'Leave the header that names the user out, or set IMPERSONATION=off.',
  ],
  GATEWAY_INTERNAL: [
    'This is a fault of the gateway.',
    'Report it with the log line that has this request id. The line holds none of your data.',
  ],
  GATEWAY_LIMIT_HOLDS: ['Dynamics answered 429 to an earlier request of this application user.', WAIT],
  GATEWAY_METHOD_NOT_ALLOWED: [
    'Neither the Web API nor the gateway has this method.',
    'Use one of the methods that the message names: PATCH to change a row, POST to create one.',
  ],
  GATEWAY_NOT_FOUND: [
    'Nothing is configured at this address.',
    'Begin the path with an entity set, or with the name of the target where there are several: /-/ lists them.',
  ],
  GATEWAY_NOT_IN_MEMORY: [
    'The request asks for a response from memory only (Cache-Control: only-if-cached), and memory has none that is ' +
      'fresh enough.',
    'Leave only-if-cached out, or keep the entity set with reads.keep.',
  ],
  GATEWAY_ORIGIN_NOT_ALLOWED: [
    'A browser says that a page of another origin sent the request, or the request lacks the required header.',
    'Add the origin to ALLOWED_ORIGINS, if its pages may do everything that the gateway may do.',
  ],
  GATEWAY_OVERLOADED: ['This process has more to do than one core can handle.', WAIT],
  GATEWAY_QUEUE_FULL: ['More requests wait for their turn at Dynamics than MAX_QUEUE allows.', WAIT],
  GATEWAY_REQUEST_TOO_SLOW: [
    'The body stopped arriving for longer than bodyTimeout.',
    'Look at the network between the caller and the gateway, then send the request again.',
  ],
  GATEWAY_ROW_TOO_LONG: [
    'A row is buffered until it is complete, so that the stream never ends with half a line.',
    'Leave large columns out with $select, or read the row by its key.',
  ],
  GATEWAY_STOPPING: ['The gateway received a signal to stop.', 'Send the request again in a moment.'],
  GATEWAY_TOKEN_REFUSED: [
    'Dynamics refused a new access token, too: it is for another environment or tenant, or access was removed.',
    'Run `dynamics-gateway check`: it compares the token with the environment.',
  ],
  GATEWAY_TOKEN_UNAVAILABLE: ['The authority issues no access token at the moment.', WAIT],
  GATEWAY_USER_AMBIGUOUS: [
    'Several enabled users have the address, and taking one of them would be a guess.',
    `In ${USERS}, let only one of them keep the primary e-mail address.`,
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
    "Nobody has consented to the gateway's app registration using Dynamics on behalf of people.",
    'Run `dynamics-gateway consent`: an administrator opens the address that it prints.',
  ],
  GATEWAY_USER_DISABLED: [
    'The user is disabled. Removing a licence disables a user.',
    `Assign a licence, or enable the user in ${USERS}.`,
  ],
  GATEWAY_USER_LOOKUP_FAILED: [
    'Dynamics refused the lookup of the user, or its response could not be used.',
    'Run `dynamics-gateway check --user` with the address: it names what is missing.',
  ],
  GATEWAY_USER_LOOKUP_TOO_SLOW: [
    'The lookup took longer than lookupTimeout, or too many lookups were waiting.',
    'Send the request again; raise lookupsPerSecond if many new users call at the same time.',
  ],
  GATEWAY_USER_NOT_ALLOWED: [
    'The settings list the users that this caller may act as, and this one is not among them.',
    'Add the address, its domain, or the Entra object id to `users` of this caller in the settings file.',
  ],
  GATEWAY_USER_NOT_PERSON: [
    'An application or system user often has more rights than any person, so the gateway does not act as one.',
    'Name a person, or leave the header out.',
  ],
  GATEWAY_USER_REQUIRED: [
    'IMPERSONATION=required: nothing runs as the application user.',
    'Name the user in one of the headers that the message names.',
  ],
  GATEWAY_USER_SIGN_IN_REQUIRED: [
    'The sign-in of the person was revoked, or the password was changed.',
    'Let the person sign in to the app again.',
  ],
  GATEWAY_USER_TOKEN_EXPIRED: [
    'The token that the app sent for the person has expired.',
    'Get a token from the sign-in library before each request: the library renews an old one by itself.',
  ],
  GATEWAY_USER_TOKEN_FOR_ANOTHER_APP: [
    "Entra exchanges only tokens whose audience is the app registration of the gateway's credential.",
    "Ask the sign-in library for a scope of that app, and compare token.audience of the caller with the credential's client id.",
  ],
  GATEWAY_USER_TOKEN_REQUIRED: [
    'The credential is of kind on-behalf-of: no request runs as the application.',
    "Send the person's token as Authorization: Bearer; for jobs use a credential with an application user.",
  ],
  GATEWAY_USER_UNKNOWN: [
    'The address is compared with the primary e-mail address of each user (or the columns of USER_EMAIL_COLUMNS), not with ' +
      'aliases.',
    `In ${USERS} → Add user, add the person; or send the address that is the Primary Email of the user there.`,
  ],
  GATEWAY_USER_WITHOUT_ACCESS: [
    "The account is disabled, is not in the tenant of the environment, or is not assigned to the gateway's app.",
    'Enable the account, invite it as a guest, or assign it in Entra → Enterprise applications → the app.',
  ],
}
