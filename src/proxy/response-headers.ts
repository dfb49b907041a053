import type { UpstreamResponse } from '../dynamics/send.ts'
import { cachedByBytes, textOfExpected } from '../odata/cached-by-bytes.ts'
import { downstreamHeader } from '../odata/header-links.ts'
import type { OnForeign } from '../odata/header-links.ts'
import { HOP_BY_HOP, nominatedBy, withoutNominated } from '../odata/hop-by-hop.ts'
import { isLinkHeader } from '../odata/link-names.ts'
import type { UrlMap } from '../odata/url-map.ts'
import { contentCoding } from '../outbound/content-coding.ts'
import type { ContentCoding } from '../outbound/content-coding.ts'

/** The head of a response, sorted by use. */
export interface ResponseHead {
  readonly status: number
  /** The headers for the caller, with rewritten links. Flat. */
  readonly headers: string[]
  readonly contentType: string
  readonly contentLength: string | undefined
  /** The request's id at Dynamics. */
  readonly requestId: string | undefined
  readonly contentEncoding: string | undefined
  /** The content coding, if it can be decoded. */
  readonly coding: ContentCoding | undefined
  /** Whether it has a `Content-Disposition`, as downloads have. */
  readonly isDownload: boolean
}

/**
 * Reads the head of `response`, and rewrites its links as URLs of the gateway. Removes `Connection` and the headers that
 * it lists, cookies and challenges, which belong to the gateway's own session, and links to other hosts.
 *
 * @param foreign called with the host of each removed link
 */
export function responseHead(response: UpstreamResponse, map: UrlMap, foreign: OnForeign): ResponseHead {
  const raw = response.headers
  let headers: string[] = []
  let nominated: Set<string> | undefined
  let contentType = ''
  let contentLength: string | undefined
  let requestId: string | undefined
  let contentEncoding: string | undefined
  let isDownload = false
  for (let index = 0; index < raw.length; index += 2) {
    const header = cachedHeader(raw[index]!)
    const { name, action } = header
    if (action === 'drop') continue
    const value = valueOf(header, raw[index + 1]!)
    switch (action) {
      case 'pass':
        headers.push(name, value)
        break
      case 'link': {
        const link = downstreamHeader(map, name.toLowerCase(), value, foreign)
        if (link !== undefined) headers.push(name, link)
        break
      }
      case 'content-type':
        headers.push(name, (contentType = value))
        break
      case 'request-id':
        headers.push(name, value)
        // Microsoft's support asks for REQ_ID.
        if (requestId === undefined || name.length === 'req_id'.length) requestId = value
        break
      case 'content-disposition':
        headers.push(name, value)
        isDownload = true
        break
      case 'content-length':
        contentLength = value
        break
      case 'content-encoding':
        contentEncoding = contentEncoding === undefined ? value : `${contentEncoding}, ${value}`
        break
      case 'connection':
        nominated = nominatedBy(value, nominated)
        break
    }
  }
  if (nominated !== undefined) headers = withoutNominated(headers, nominated)
  const { status } = response
  const coding = contentCoding(contentEncoding)
  return { status, headers, contentType, contentLength, contentEncoding, requestId, coding, isDownload }
}

/** How a header is handled on its way to the caller. */
type HeaderAction =
  | 'pass'
  | 'drop'
  | 'link'
  | 'request-id'
  | 'connection'
  | 'content-type'
  | 'content-length'
  | 'content-encoding'
  | 'content-disposition'

/**
 * Never returned to the caller: headers on the session between gateway and Dynamics or on other hosts, redirects of a
 * browser, and commands for a web server in front of the gateway.
 */
const NEVER_RETURNED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'set-cookie',
  'set-cookie2',
  'strict-transport-security',
  'alt-svc',
  'www-authenticate',
  'timing-allow-origin',
  'x-request-id',
  'public-key-pins',
  'clear-site-data',
  'nel',
  'report-to',
  'reporting-endpoints',
  'refresh',
  'x-sendfile',
  'x-lighttpd-send-file',
  'x-reproxy-url',
])

/** What is cached of a header of responses, by its name. */
interface CachedHeader {
  /** As it is spelt. */
  readonly name: string
  readonly action: HeaderAction
  /** Its last value that was short enough. Most values are the same in every response. */
  lastValue: string
}

const cachedHeader = cachedByBytes((name): CachedHeader => ({
  name,
  action: headerAction(name.toLowerCase()),
  lastValue: '',
}))

/** The longest value that is cached, in characters. */
const MAX_CACHED_VALUE_CHARACTERS = 100

function valueOf(header: CachedHeader, bytes: Buffer): string {
  const value = textOfExpected(bytes, header.lastValue)
  if (value.length <= MAX_CACHED_VALUE_CHARACTERS) header.lastValue = value
  return value
}

function headerAction(lowerName: string): HeaderAction {
  switch (lowerName) {
    case 'connection':
    case 'content-type':
    case 'content-length':
    case 'content-encoding':
    case 'content-disposition':
      return lowerName
    case 'req_id':
    case 'x-ms-service-request-id':
      return 'request-id'
    default:
      if (NEVER_RETURNED.has(lowerName) || /^(?:access-control|x-accel)-/.test(lowerName)) return 'drop'
      return isLinkHeader(lowerName) ? 'link' : 'pass'
  }
}
