import { MalformedBatch } from './batch-error.ts'

/**
 * The media type of a Content-Type header in lower case, without parameters; empty unless there is exactly one.
 */
export function mediaType(contentType: string | undefined): string {
  const type = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()
  return /^[^\s,;/"]+\/[^\s,;/"]+$/.test(type) ? type : ''
}

/** Whether a body of this media type is JSON text. */
export function isJson(contentType: string | undefined): boolean {
  // Dynamics sends the same value hundreds of times a second.
  if (contentType === lastJson) return true
  const is = /[/+]json$/.test(mediaType(contentType))
  if (is) lastJson = contentType
  return is
}

let lastJson: string | undefined = 'application/json'

/**
 * The boundary in the Content-Type header of a multipart body, quoted or not.
 *
 * @returns `undefined` when it is missing, repeated, or far longer than RFC 2046 allows
 * @see https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
 */
export function boundaryOf(contentType: string): string | undefined {
  if (contentType.length > LONGEST) return undefined
  const found = [...contentType.matchAll(/;\s*boundary(\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))\s*(?=;|$)/gi)]
  const [, extended, quoted, token] = found[0] ?? []
  const boundary = quoted?.replace(/\\(.)/g, '$1') ?? token ?? ''
  const mentioned = contentType.match(/boundary[\s*]*=/gi)?.length
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?$/.test(boundary)
  return mentioned === 1 && extended === '' && isPlain ? boundary : undefined
}

/**
 * The boundary of a batch or change set.
 *
 * @throws MalformedBatch
 */
export function batchBoundary(contentType: string): string {
  const boundary = boundaryOf(contentType)
  if (boundary === undefined) throw new MalformedBatch('A batch or change set has no boundary, or several.')
  return boundary
}

/**
 * Checks that a batch, or a part of one, is in UTF-8. In another encoding the same bytes would be other
 * requests than the checked ones: `+` starts an escape in UTF-7, and EBCDIC has different letters.
 *
 * @throws MalformedBatch
 */
export function requireUtf8(contentType: string): void {
  const mentioned = contentType.slice(0, LONGEST).match(/charset/gi)?.length ?? 0
  if (contentType.length <= LONGEST && (mentioned === 0 || (mentioned === 1 && UTF8.test(contentType)))) return
  throw new MalformedBatch('A batch, and each part of it, is in UTF-8: leave charset out of its Content-Type.')
}

const LONGEST = 1000
const UTF8 = /;\s*charset=(?:utf-?8|"utf-?8")\s*(?:;|$)/i

/** Whether a Content-Encoding header has a coding, so that the JSON of the body cannot be read. */
export function isEncoded(contentEncoding: string | undefined): contentEncoding is string {
  return contentEncoding !== undefined && contentEncoding.trim().toLowerCase() !== 'identity'
}
