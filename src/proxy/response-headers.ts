import type { UpstreamResponse } from '../dynamics/send.ts'
import { cachedByText } from '../odata/cached-by-text.ts'
import { downstreamHeader } from '../odata/header-links.ts'
import type { OnForeign } from '../odata/header-links.ts'
import { HOP_BY_HOP } from '../odata/hop-by-hop.ts'
import { isLinkHeader } from '../odata/link-names.ts'
import { textOf } from '../odata/text-transform.ts'
import type { UrlMap } from '../odata/url-map.ts'
import { contentCoding } from '../outbound/content-coding.ts'
import type { ContentCoding } from '../outbound/content-coding.ts'
import { namesIn, without } from './request-headers.ts'

/** The head of a response, sorted by use. */
export interface ResponseHead {
  /** The headers for the caller, with rewritten links. Flat. */
  readonly headers: string[]
  readonly contentType: string
  readonly contentLength: string | undefined
  /** The request's id at Dynamics. */
  readonly requestId: string | undefined
  readonly contentEncoding: string | undefined
  /** The content coding, if it can be decoded. */
  readonly coding: ContentCoding | undefined
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
  for (let index = 0; index < raw.length; index += 2) {
    const name = textOf(raw[index]!)
    const action = actionOf(name)
    if (action === 'drop') continue
    const value = textOf(raw[index + 1]!)
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
      case 'content-length':
        contentLength = value
        break
      case 'content-encoding':
        contentEncoding = contentEncoding === undefined ? value : `${contentEncoding}, ${value}`
        break
      case 'connection':
        nominated = namesIn(value, nominated)
        break
    }
  }
  if (nominated !== undefined) headers = without(headers, nominated)
  return { headers, contentType, contentLength, contentEncoding, requestId, coding: contentCoding(contentEncoding) }
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

/** @param name as received */
const actionOf = cachedByText((name) => headerAction(name.toLowerCase()))

function headerAction(lowerName: string): HeaderAction {
  switch (lowerName) {
    case 'connection':
    case 'content-type':
    case 'content-length':
    case 'content-encoding':
      return lowerName
    case 'req_id':
    case 'x-ms-service-request-id':
      return 'request-id'
    default:
      if (NEVER_RETURNED.has(lowerName) || /^(?:access-control|x-accel)-/.test(lowerName)) return 'drop'
      return isLinkHeader(lowerName) ? 'link' : 'pass'
  }
}
