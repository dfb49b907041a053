import type { IncomingHttpHeaders } from 'node:http'

import { BadBatch } from '../errors.ts'
import { isBatch } from '../odata/batch-path.ts'
import { requestBatch, responseBatch } from '../odata/batch.ts'
import type { BatchOptions } from '../odata/batch.ts'
import { isEncoded, isJson } from '../odata/content-type.ts'
import type { OnForeign } from '../odata/header-links.ts'
import { requestLinks } from '../odata/request-links.ts'
import { responseLinks } from '../odata/response-links.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import type { UrlMap } from '../odata/url-map.ts'

/** What tells which links an answer's body may hold. */
interface AnswerFacts {
  readonly contentType: string
  readonly contentEncoding: string | undefined
  readonly coding: string | undefined
  readonly status: number
  /** The outbound path and query. */
  readonly path: string
  /** What the caller preferred. */
  readonly prefer: string | string[] | undefined
  /** Is told of links to other hosts, which stay here. */
  readonly foreign: OnForeign
  /** Is told the status of each part of the answer to a `$batch`. */
  readonly onPart: (status: number) => void
}

/** A file or a part of one, whatever its content type: `…/sample_file/$value`. */
const FILE = /^[^?]*\/\$value(?:$|\?)/

/**
 * What turns the links of an answer's body outward, or `undefined` where it must not be touched: files, parts of
 * files, `$metadata`, and what is coded in a way that cannot be undone.
 */
export function responseBodyRewriter(
  map: UrlMap,
  { contentType, contentEncoding, coding, status, path, prefer, foreign, onPart }: AnswerFacts,
): TextTransform | undefined {
  if (status === 206 || (isEncoded(contentEncoding) && coding === undefined)) {
    return undefined
  }
  if (FILE.test(path)) return undefined
  if (isBatch(path)) return responseBatch(map, contentType, foreign, onPart)
  return isJson(contentType)
    ? responseLinks(map, { backgroundOperation: prefer?.includes('respond-async') === true })
    : undefined
}

/**
 * What turns the links of a request's body inward, or `undefined` where there are none.
 *
 * @param path below the gateway's base, as it was written
 * @throws BadBatch when a `$batch` is written in a way that cannot be looked into
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
