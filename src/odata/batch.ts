/**
 * `$batch`: rewrites the requests and responses inside. Both formats are parsed, not searched.
 */
import { MalformedBatch } from './batch-error.ts'
import type { BatchOptions } from './batch-operation.ts'
import { isJson, mediaType, requireUtf8 } from './content-type.ts'
import type { OnForeign } from './header-links.ts'
import { requestJsonBatch } from './request-json-batch.ts'
import { requestMultipart } from './request-multipart.ts'
import { responseJsonBatch } from './response-json-batch.ts'
import { responseLinks } from './response-links.ts'
import { responseMultipart } from './response-multipart.ts'
import type { TextTransform } from './text-transform.ts'
import type { UrlMap } from './url-map.ts'

export { MalformedBatch, OversizedBatch, RefusedPart } from './batch-error.ts'
export type { BatchOperation, BatchOptions } from './batch-operation.ts'

/**
 * Rewrites a caller's `$batch`, multipart or JSON, for the target: URLs, `Host` headers and links in JSON
 * bodies. Everything else is unchanged, except that lines of a multipart batch end with CRLF, and headers are removed
 * that must not be forwarded. A multipart batch streams; one in JSON is buffered until it is complete.
 *
 * Bytes sent before a part was refused cannot be recalled: only aborting the request prevents its execution.
 *
 * @param contentType header of the request; its boundary stays the same
 * @throws MalformedBatch, OversizedBatch, RefusedPart at once or while the batch streams; whatever `onPart` throws
 */
export function requestBatch(map: UrlMap, contentType: string, options: BatchOptions): TextTransform {
  requireUtf8(contentType)
  if (mediaType(contentType) === 'multipart/mixed') return requestMultipart(map, contentType, options)
  if (isJson(contentType)) return requestJsonBatch(map, options)
  throw new MalformedBatch('The Content-Type of a batch is multipart/mixed or application/json.')
}

/**
 * Rewrites the response to a `$batch` for the caller: `Location`, `OData-EntityId` and links in JSON bodies, as it
 * streams. A response that is neither multipart nor a JSON batch, such as an error, is forwarded with its links
 * rewritten if it is JSON, and unchanged otherwise.
 *
 * Links in headers to other hosts are removed. In JSON, where the name of the member has already been sent, their
 * text is removed.
 *
 * @param contentType header of the response; its boundary stays the same
 * @param foreign called for each removed link
 * @param onPart called with the status of each part
 * @throws MalformedBatch at once or while a multipart response streams, also when it is truncated
 */
export function responseBatch(
  map: UrlMap,
  contentType: string | undefined,
  foreign: OnForeign = () => undefined,
  onPart: (status: number) => void = () => undefined,
): TextTransform | undefined {
  if (contentType === undefined) return undefined
  if (mediaType(contentType) === 'multipart/mixed') return responseMultipart(map, contentType, foreign, onPart)
  return isJson(contentType) ? inTurn(responseJsonBatch(map, foreign, onPart), responseLinks(map)) : undefined
}

function inTurn(first: TextTransform, second: TextTransform): TextTransform {
  return {
    push: (text) => second.push(first.push(text)),
    end: () => second.push(first.end()) + second.end(),
  }
}
