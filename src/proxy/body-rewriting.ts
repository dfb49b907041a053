import type { IncomingHttpHeaders } from 'node:http'

import type { RequestRecord } from '../dynamics/request-record.ts'
import type { OutboundRequest } from '../dynamics/send.ts'
import { BadBatch } from '../errors.ts'
import { isBatch } from '../odata/batch-path.ts'
import { requestBatch, responseBatch } from '../odata/batch.ts'
import type { BatchOptions } from '../odata/batch.ts'
import { isEncoded, isJson } from '../odata/content-type.ts'
import { isFile } from '../odata/file-path.ts'
import type { OnForeign } from '../odata/header-links.ts'
import type { Preferences } from '../odata/preferences.ts'
import { requestLinks } from '../odata/request-links.ts'
import { responseLinks } from '../odata/response-links.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import type { UrlMap } from '../odata/url-map.ts'
import type { ResponseHead } from './response-headers.ts'

/**
 * The transform that rewrites the links of a response body, or `undefined` for bodies that must not change: files,
 * parts of files, `$metadata`, and bodies in an unknown content coding.
 *
 * @param foreign called for links to other hosts, which are removed
 */
export function responseBodyRewriter(
  map: UrlMap,
  { status, contentType, contentEncoding, coding }: ResponseHead,
  { path, record }: Pick<OutboundRequest, 'path' | 'record'>,
  { respondAsync }: Preferences,
  foreign: OnForeign,
): TextTransform | undefined {
  if (status === 206 || (isEncoded(contentEncoding) && coding === undefined)) {
    return undefined
  }
  if (isFile(path)) return undefined
  if (isBatch(path)) return responseBatchOf(map, contentType, foreign, record)
  return isJson(contentType) ? responseLinks(map, { backgroundOperation: respondAsync }) : undefined
}

/** A function of its own, so that other responses need no closure. */
function responseBatchOf(
  map: UrlMap,
  contentType: string,
  foreign: OnForeign,
  record: RequestRecord,
): TextTransform | undefined {
  return responseBatch(map, contentType, foreign, (status) => record.partAnswered(status))
}

/**
 * The transform that rewrites the links of a request body, or `undefined` without links.
 *
 * @param path raw, below the gateway's base
 * @throws BadBatch when a `$batch` cannot be parsed
 */
export function requestBodyRewriter(
  map: UrlMap,
  path: string,
  headers: IncomingHttpHeaders,
  batch: BatchOptions,
): (() => TextTransform) | undefined {
  const contentType = headers['content-type'] ?? ''
  const encoded = isEncoded(headers['content-encoding'])
  if (isBatch(path)) {
    if (encoded) throw new BadBatch('Send it without Content-Encoding.')
    return () => requestBatch(map, contentType, batch)
  }
  return isJson(contentType) && !encoded ? () => requestLinks(map) : undefined
}
