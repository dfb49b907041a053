import type { AccessTokens } from '../credentials/credential.ts'
import type { OutboundRequest } from '../dynamics/send.ts'
import type { Caller } from '../identity/caller.ts'
import { cachedByText } from '../odata/cached-by-text.ts'
import { isNullEtag } from './cacheable-read.ts'

/** The longest key, in characters. A read with a longer key is neither shared nor cached. */
const MAX_KEY_LENGTH = 8 * 1024

/** The use of a key. It decides which parts of the request the key leaves out. */
export type KeyUse =
  /** Sharing a call in progress: the requests differ only in their ids. */
  | 'shared call'
  /** Caching a response for one user. Its content coding is removed for callers that do not accept it. */
  | 'cached'
  /** Caching a response for all users of a target, by the operator's decision: the key leaves the user out. */
  | 'cached for all'

/**
 * The cache key of a read. Two reads with the same key have the same response. The key has everything that is sent to
 * Dynamics: the target, the identity, the exact URL, and every header except those that this file lists. An unknown
 * header therefore separates two responses. The caller's rules are not part of the key: they have already allowed this
 * request, and they do not change responses.
 *
 * @param target the name of the target, which no other target has
 * @returns `undefined` where the key would be too long
 */
export function keyOf(
  target: string,
  { path, headers, cacheableRead, priority }: OutboundRequest,
  use: KeyUse,
): string | undefined {
  let key = `${use}\n${target}\n${use === 'cached for all' ? '' : cacheableRead!.identity}\n${path}`
  // An interactive request does not wait behind a background request.
  if (use === 'shared call' && priority === 'background') key += '\nbackground'
  for (let index = 0; index < headers.length; index += 2) {
    const { prefix, leftOutOf } = keyedHeader(headers[index]!)
    const value = headers[index + 1]!
    if (leftOutOf.includes(use) || (prefix === IF_NONE_MATCH && isNullEtag(value))) continue
    key += prefix
    key += value
  }
  return key.length > MAX_KEY_LENGTH ? undefined : key
}

/** Headers that identify the request or the program that sends it, and headers that limit the age of a response. */
const EXCLUDED_HEADERS: ReadonlySet<string> = new Set([
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

const CALLER_ID_HEADERS: ReadonlySet<string> = new Set(['callerobjectid', 'mscrmcallerid'])

/** How a header appears in keys, by its name in any letter case. */
const keyedHeader = cachedByText((spelt): { readonly prefix: string; readonly leftOutOf: readonly KeyUse[] } => {
  const name = spelt.toLowerCase()
  return { prefix: prefixOf(name), leftOutOf: usesWithout(name) }
})

/** What comes before the value of a header in a key. */
function prefixOf(name: string): string {
  return `\n${name}:`
}

const IF_NONE_MATCH = prefixOf('if-none-match')

/** The uses whose keys have no header of this name, in lower case. */
function usesWithout(name: string): readonly KeyUse[] {
  if (EXCLUDED_HEADERS.has(name)) return ['shared call', 'cached', 'cached for all']
  if (name === 'accept-encoding') return ['cached', 'cached for all']
  return CALLER_ID_HEADERS.has(name) ? ['cached for all'] : []
}

/**
 * The identity that a request runs as, for its key: a person by the tenant and object id of their verified token, a
 * user by the caller id, otherwise the application user. `undefined` if the request has tokens of an unknown owner.
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
  return callerId === undefined ? 'application user' : `user ${callerId[0]} ${callerId[1].toLowerCase()}`
}
