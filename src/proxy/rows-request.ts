import type { IncomingMessage } from 'node:http'

import type { OutboundRequest } from '../dynamics/send.ts'
import { NotACollection } from '../errors.ts'
import { hasFetchXml } from '../odata/fetch-xml-page.ts'
import { headersWithout } from '../odata/flat-headers.ts'
import type { Preferences } from '../odata/preferences.ts'
import { topOf } from '../odata/top.ts'
import { acceptOfRows } from './ndjson.ts'

/** The rows of all pages, as a caller asks for them. */
export interface RowsRequest {
  /** For the first page. */
  readonly outbound: OutboundRequest
  /** How many rows are wanted at most. */
  readonly limit: number
}

/**
 * The request for the first page, where the caller wants the rows of all pages, one a line.
 *
 * @throws NotACollection when it asks them of what surely has none
 */
export function rowsRequest(
  { headers, httpVersion }: Pick<IncomingMessage, 'headers' | 'httpVersion'>,
  { respondAsync }: Preferences,
  outbound: OutboundRequest,
): RowsRequest | undefined {
  const { method, path } = outbound
  const accept = method === 'OPTIONS' ? undefined : acceptOfRows(headers.accept)
  if (accept === undefined) return undefined
  if (method !== 'GET' && method !== 'HEAD') throw new NotACollection(`a ${method} reads no rows`)
  // Its responses end with the connection, whether they are complete or not. nginx speaks it unless told otherwise.
  if (httpVersion === '1.0') throw new NotACollection('HTTP/1.0 cannot say that rows are missing, so send HTTP/1.1')
  const queryStart = path.indexOf('?')
  if (NO_ROWS.test(queryStart === -1 ? path : path.slice(0, queryStart)))
    throw new NotACollection('this address has no rows')
  if (respondAsync || /odata\.track-changes/i.test(String(headers['prefer'] ?? ''))) {
    throw new NotACollection('changes and background operations have links that it cannot hold')
  }
  const others = headersWithout(outbound.headers, (name) => name === 'accept')
  const query = queryStart === -1 ? '' : path.slice(queryStart)
  const passed = hasFetchXml(query) ? withAnnotations(others) : others
  return {
    // Pages flow one after the other, too long to share and for one reader.
    outbound: { ...outbound, headers: [...passed, 'accept', accept], cacheableRead: undefined },
    limit: topOf(query),
  }
}

/** `headers` with the annotations that lead to the next page of FetchXML, beside those that the caller prefers. */
function withAnnotations(headers: readonly string[]): readonly string[] {
  const prefers = headers.filter((_, index) => index % 2 === 1 && headers[index - 1]!.toLowerCase() === 'prefer')
  const others = headersWithout(headers, (name) => name === 'prefer')
  const prefer = prefers.join(', ')
  const [written, quoted, bare] = ANNOTATIONS.exec(prefer) ?? []
  const list = [...new Set([quoted ?? bare ?? '', ...PAGING_ANNOTATIONS])].filter((name) => name !== '').join(',')
  const annotations = `odata.include-annotations="${list}"`
  if (written !== undefined) return [...others, 'prefer', prefer.replace(written, () => annotations)]
  return [...others, 'prefer', prefer === '' ? annotations : `${prefer}, ${annotations}`]
}

const ANNOTATIONS = /odata\.include-annotations\s*=\s*(?:"([^"]*)"|([^\s,;"]+))/i

const PAGING_ANNOTATIONS = ['Microsoft.Dynamics.CRM.fetchxmlpagingcookie', 'Microsoft.Dynamics.CRM.morerecords']

/** Paths of system resources that are not collections of rows. */
const NO_ROWS = /\/(?:\$|%24)(?!ref\/?$)[^/]*\/?$/i
