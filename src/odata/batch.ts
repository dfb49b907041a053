/**
 * `$batch`: the requests inside are turned inward, the answers outward. Both its formats are parsed, not searched.
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
 * Turns the `$batch` of a caller, multipart or JSON, into one for the target: URLs, `Host` headers and links in JSON
 * bodies. Everything else stays as it is, but lines of a multipart batch come out with CRLF, and headers are left out
 * that must not go on. A multipart batch streams; one in JSON is held until it is whole.
 *
 * What was sent on before a part was refused stays sent: only an aborted request keeps it from being carried out.
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
 * Turns the answer to a `$batch` into one for the caller: `Location`, `OData-EntityId` and links in JSON bodies, as it
 * streams. What is neither multipart nor the JSON answer to a batch, such as an error, goes on with its links turned
 * when it is JSON, and as it is otherwise.
 *
 * Links in headers that lead to another host stay here; in JSON, where what a member is called has gone out by then,
 * their text.
 *
 * @param contentType header of the answer; its boundary stays the same
 * @param foreign is told of each link that stays here
 * @param onPart is told the status of each part
 * @throws MalformedBatch at once or while a multipart answer streams, also when it ends too early
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
