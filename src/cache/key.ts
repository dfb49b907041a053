import type { AccessTokens } from '../credentials/credential.ts'
import type { OutboundRequest } from '../dynamics/send.ts'
import type { Caller } from '../identity/caller.ts'
import { isNoCondition } from './reading.ts'

/** Longest key, in characters. A read with a longer one is neither shared nor kept. */
const MAX_KEY_LENGTH = 8 * 1024

/** What a key is for, which decides what of the request it leaves out. */
export type KeyUse =
  /** Sharing a call under way: the requests are the same but for their ids. */
  | 'shared call'
  /** Keeping a response for one user: its content coding is undone where a caller does not accept it. */
  | 'kept'
  /** Keeping a response for all users of a target: by the operator's decision, the user counts no more. */
  | 'kept for all'

/**
 * What makes the responses to two reads identical. Everything that goes to Dynamics is part of it: the target, the
 * identity, the exact URL, and every header with its value, known here or not, except those that this file lists. So a
 * header that nobody thought of keeps two responses apart. The caller's rules are not: they decide whether a request is
 * sent, and have done so for this very request, but they change nothing in a response.
 *
 * @param target a name that no other target has
 * @returns `undefined` where the key would be too long
 */
export function keyOf(
  target: string,
  { path, headers, reading, priority }: OutboundRequest,
  use: KeyUse,
): string | undefined {
  let key = `${use}\n${target}\n${use === 'kept for all' ? '' : reading!.identity}\n${path}`
  // An interactive request does not wait for the turn of a background one.
  if (use === 'shared call' && priority === 'background') key += '\nbackground'
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!.toLowerCase()
    const value = headers[index + 1]!
    if (LEFT_OUT.has(name) || (name === 'if-none-match' && isNoCondition(value))) continue
    if (use !== 'shared call' && name === 'accept-encoding') continue
    if (use === 'kept for all' && CALLER_IDS.has(name)) continue
    key += `\n${name}:${value}`
  }
  return key.length > MAX_KEY_LENGTH ? undefined : key
}

/** Headers that name a request, or the program that sends it, and that say how old a response may be. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'user-agent',
  'x-ms-client-request-id',
  'x-ms-correlation-request-id',
  'x-correlation-id',
  'request-id',
  'x-request-id',
  'traceparent',
  'tracestate',
  'baggage',
  'cache-control',
  'pragma',
])

const CALLER_IDS: ReadonlySet<string> = new Set(['callerobjectid', 'mscrmcallerid'])

/**
 * As whom a request runs, for its key: a person by the tenant and object id of their verified token, a user by the caller
 * id that is sent, and else the application user. `undefined` where there are tokens, and nothing says whose they are.
 */
export function identityOf(
  callerId: readonly [string, string] | undefined,
  tokens: AccessTokens | undefined,
  { user }: Pick<Caller, 'user'>,
): string | undefined {
  if (tokens !== undefined) {
    if (user === undefined || !('onBehalfOf' in user)) return undefined
    return `person ${user.onBehalfOf.tenantId} ${user.onBehalfOf.objectId}`
  }
  return callerId === undefined ? 'application user' : `user ${callerId[0]} ${callerId[1]}`.toLowerCase()
}
