import type { IncomingHttpHeaders } from 'node:http'

import { jsonLinksInward, jsonLinksOutward } from './odata/links.ts'
import type { ByteTransform, UrlMap } from './odata/links.ts'

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
}

/** A file or a part of one, whatever its content type: `…/sample_file/$value`. */
const FILE = /\/\$value(?:$|\?)/

/**
 * What turns the links of an answer's body outward, or `undefined` where it must not be touched: files, parts of
 * files, `$metadata`, and what is coded in a way that cannot be undone.
 */
export function outwardTransform(map: UrlMap, { contentType, contentEncoding, coding, status, path, prefer }: AnswerFacts): ByteTransform | undefined {
  if (status === 206 || (contentEncoding !== undefined && contentEncoding !== 'identity' && coding === undefined)) return undefined
  if (isJson(contentType) && !FILE.test(path)) {
    return jsonLinksOutward(map, { backgroundOperation: prefer?.includes('respond-async') === true })
  }
  return undefined
}

/** What turns the links of a request's body inward, or `undefined` where there are none. */
export function inwardTransform(map: UrlMap, path: string, headers: IncomingHttpHeaders): (() => ByteTransform) | undefined {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') return undefined
  return isJson(headers['content-type'] ?? '') ? () => jsonLinksInward(map) : undefined
}

/** `application/json`, and types that are JSON by their suffix. */
function isJson(contentType: string): boolean {
  return /^\s*application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType)
}
