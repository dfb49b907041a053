import type { TraceContext } from '../dynamics/trace-context.ts'
import { isForwardingHeader } from '../identity/forwarding-headers.ts'
import { cachedByText } from '../odata/cached-by-text.ts'
import { headerLetters } from '../odata/header-letters.ts'
import { HOP_BY_HOP, nominatedBy, withoutNominated } from '../odata/hop-by-hop.ts'
import { isLinkHeader } from '../odata/link-names.ts'
import { isMethodOverride } from '../odata/methods.ts'
import { upstreamUrl } from '../odata/url-map.ts'
import type { UrlMap } from '../odata/url-map.ts'
import type { ContentCoding } from '../outbound/content-coding.ts'
import { carriesIdentity } from './identity-headers.ts'
import { withoutPriority } from './priority.ts'

/** How a header is handled. */
type HeaderAction =
  | 'pass'
  | 'drop'
  | 'link'
  | 'connection'
  | 'accept-encoding'
  | 'prefer'
  | 'traceparent'
  | 'tracestate'

/** What is cached of a header of requests, by its name. */
interface CachedHeader {
  /** As it is spelt, and always the same string: undici looks it up among the names that it knows. */
  readonly name: string
  readonly action: HeaderAction
}

/** Never forwarded: headers that the gateway sets itself, and headers that override the method or the address. */
const NEVER_FORWARDED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'host',
  'expect',
  'content-length',
  'idempotency-key',
  'origin',
  'access-control-request-method',
  'access-control-request-headers',
  'x-method',
  'x-tunnel-method',
  'x-original-method',
  'callerobjectid',
  'mscrmcallerid',
  'mscrmcallerobjectid',
])

/**
 * Whether a header of a request, or of a request inside a `$batch`, is never forwarded: hop-by-hop headers, tokens,
 * keys and identities, forwarding notes, and names with an underscore, which some servers treat as a dash.
 *
 * @param name in lower case
 */
export function staysHere(name: string): boolean {
  return (
    NEVER_FORWARDED.has(name) ||
    isMethodOverride(headerLetters(name)) ||
    name.includes('_') ||
    name.startsWith('sec-') ||
    isForwardingHeader(name) ||
    carriesIdentity(name)
  )
}

/** Headers that are handled one by one. */
const HANDLED_BY_NAME = ['connection', 'accept-encoding', 'prefer', 'traceparent', 'tracestate'] as const

/** Content codings that the gateway can decode to rewrite links. */
const CODINGS = ['gzip', 'deflate', 'br']

/**
 * Creates the function that filters a request's raw headers: it drops those of {@link staysHere} and those that
 * `Connection` lists.
 *
 * @param userHeaders the headers that name the user, in lower case
 */
export function requestHeaders(
  userHeaders: readonly string[],
): (raw: readonly string[], map: UrlMap, trace?: TraceContext) => string[] {
  const cachedHeader = cachedByText((spelt): CachedHeader => {
    const lower = spelt.toLowerCase()
    const action =
      HANDLED_BY_NAME.find((one) => one === lower) ??
      (userHeaders.includes(lower) || staysHere(lower) ? 'drop' : isLinkHeader(lower) ? 'link' : 'pass')
    return { name: spelt, action }
  })
  return (raw, map, trace) => {
    const isTraced = trace?.spanId !== undefined
    const headers: string[] = []
    let nominated: Set<string> | undefined
    let acceptEncoding: string | undefined
    for (let index = 0; index < raw.length; index += 2) {
      const { name, action } = cachedHeader(raw[index]!)
      const value = raw[index + 1]!
      switch (action) {
        case 'pass':
          headers.push(name, value)
          break
        case 'drop':
          break
        case 'link':
          headers.push(name, upstreamUrl(map, value))
          break
        case 'prefer': {
          const others = withoutPriority(value)
          if (others !== undefined) headers.push(name, others)
          break
        }
        case 'accept-encoding':
          acceptEncoding = acceptEncoding === undefined ? value : `${acceptEncoding},${value}`
          break
        case 'traceparent':
          // Each attempt has one of its own.
          if (!isTraced) headers.push(name, value)
          break
        case 'tracestate':
          // It belongs to the caller's trace.
          if (!isTraced || trace.parentId !== undefined) headers.push(name, value)
          break
        case 'connection':
          nominated = nominatedBy(value, nominated)
          break
      }
    }
    headers.push('accept-encoding', codingsOf(acceptEncoding ?? ''))
    return nominated === undefined ? headers : withoutNominated(headers, nominated)
  }
}

/**
 * The codings of the caller's `Accept-Encoding` that the gateway can decode. No other coding is added.
 */
const codingsOf = cachedByText((acceptEncoding): string => {
  const accepted = acceptEncoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => !/;\s*q=0(\.0*)?$/.test(coding))
    .map((coding) => coding.replace(/;.*/, '').trim())
  const codings = CODINGS.filter((coding) => accepted.includes(coding) || (coding === 'gzip' && accepted.includes('*')))
  return codings.length === 0 ? 'identity' : codings.join(', ')
})

/** Whether a request with these headers, as {@link requestHeaders} made them, accepts `coding`. */
export function accepts(headers: readonly string[], coding: ContentCoding): boolean {
  const index = headers.indexOf('accept-encoding')
  return index !== -1 && headers[index + 1]!.includes(coding)
}
