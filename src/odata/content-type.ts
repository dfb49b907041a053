import { MalformedBatch } from './batch-error.ts'
import { type Field, valueOf } from './header-fields.ts'

/** The media type of a Content-Type header in lower case, without parameters; empty when there is none. */
export function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/** Whether a body of this media type is JSON text. */
export function isJson(contentType: string | undefined): boolean {
  // Dynamics writes one and the same, hundreds of times a second.
  if (contentType === lastJson) return true
  const is = /[/+]json$/.test(mediaType(contentType))
  if (is) lastJson = contentType
  return is
}

let lastJson: string | undefined = 'application/json'

/**
 * The boundary that the Content-Type header of a multipart body names, quoted or not.
 *
 * @returns `undefined` when it is missing, named twice, or far longer than RFC 2046 allows
 * @see https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
 */
function boundaryOf(contentType: string): string | undefined {
  if (contentType.length > 1000) return undefined
  const found = [...contentType.matchAll(/;\s*boundary(\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))\s*(?=;|$)/gi)]
  const [, extended, quoted, token] = found[0] ?? []
  const boundary = quoted?.replace(/\\(.)/g, '$1') ?? token ?? ''
  const mentioned = contentType.match(/boundary\s*\*?\s*=/gi)?.length
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
  if (boundary === undefined) throw new MalformedBatch('A batch or change set names no boundary, or several.')
  return boundary
}

/** Whether a body is coded, so that its JSON cannot be seen. */
export function isEncoded(fields: readonly Field[]): boolean {
  return (valueOf(fields, 'content-encoding') ?? 'identity').toLowerCase() !== 'identity'
}
