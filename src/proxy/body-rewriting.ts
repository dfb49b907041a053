import type { IncomingHttpHeaders } from 'node:http'

import { BadBatch } from '../errors.ts'
import { isBatch } from '../odata/batch-path.ts'
import { requestBatch, responseBatch } from '../odata/batch.ts'
import type { BatchOptions } from '../odata/batch.ts'
import { isEncoded, isJson } from '../odata/content-type.ts'
import { isFile } from '../odata/file-path.ts'
import type { OnForeign } from '../odata/header-links.ts'
import { requestLinks } from '../odata/request-links.ts'
import { responseLinks } from '../odata/response-links.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import type { UrlMap } from '../odata/url-map.ts'

/** Facts that determine which links a response body may contain. */
interface ResponseFacts {
  readonly contentType: string
  readonly contentEncoding: string | undefined
  readonly coding: string | undefined
  readonly status: number
  /** The outbound path and query. */
  readonly path: string
  /** The caller's `Prefer`. */
  readonly prefer: string | string[] | undefined
  /** Called for links to other hosts, which are removed. */
  readonly foreign: OnForeign
  /** Called with the status of each part of the response to a `$batch`. */
  readonly onPart: (status: number) => void
}

/**
 * The transform that rewrites the links of a response body, or `undefined` for bodies that must not change: files,
 * parts of files, `$metadata`, and bodies in an unknown content coding.
 */
export function responseBodyRewriter(
  map: UrlMap,
  { contentType, contentEncoding, coding, status, path, prefer, foreign, onPart }: ResponseFacts,
): TextTransform | undefined {
  if (status === 206 || (isEncoded(contentEncoding) && coding === undefined)) {
    return undefined
  }
  if (isFile(path)) return undefined
  if (isBatch(path)) return responseBatch(map, contentType, foreign, onPart)
  return isJson(contentType)
    ? responseLinks(map, { backgroundOperation: /respond-async/i.test(String(prefer)) })
    : undefined
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
    if (encoded) throw new BadBatch('send it without Content-Encoding.')
    return () => requestBatch(map, contentType, batch)
  }
  return isJson(contentType) && !encoded ? () => requestLinks(map) : undefined
}
