import { batchBoundary, isEncoded, isJson, mediaType } from './content-type.ts'
import { type Field, valueOf } from './header-fields.ts'
import { downstreamHeader, type OnForeign } from './header-links.ts'
import { isLinkHeader } from './link-names.ts'
import { multipart, type RewrittenMessage, type RewrittenPart } from './multipart.ts'
import { responseLinks } from './response-links.ts'
import type { TextTransform } from './text-transform.ts'
import type { UrlMap } from './url-map.ts'

/** Rewrites the multipart response to a `$batch` for the caller, see `responseBatch`. */
export function responseMultipart(
  map: UrlMap,
  contentType: string,
  foreign: OnForeign,
  onPart: (status: number) => void,
): TextTransform {
  function part(fields: readonly Field[], inChangeSet: boolean): RewrittenPart {
    const type = valueOf(fields, 'content-type')
    if (mediaType(type) === 'application/http') return { fields: withoutLength(fields), content: 'message' }
    if (type === undefined || mediaType(type) !== 'multipart/mixed' || inChangeSet) return { fields, content: 'bytes' }
    return { fields: withoutLength(fields), content: { boundary: batchBoundary(type) } }
  }

  function message(startLine: string, fields: readonly Field[]): RewrittenMessage {
    const status = STATUS.exec(startLine)?.[1]
    if (status !== undefined) onPart(Number(status))
    const rewritten = fields.flatMap((field) => {
      const name = field.name.toLowerCase()
      if (!isLinkHeader(name)) return [field]
      const value = downstreamHeader(map, name, field.value, foreign)
      return value === undefined ? [] : [{ name: field.name, value }]
    })
    const isOpen = isJson(valueOf(fields, 'content-type')) && !isEncoded(valueOf(fields, 'content-encoding'))
    if (!isOpen) return { startLine, fields: rewritten, body: undefined }
    return { startLine, fields: withoutLength(rewritten), body: responseLinks(map) }
  }

  return multipart({ boundary: batchBoundary(contentType), falseDelimiters: 'data', afterChangeSet: '', part, message })
}

const STATUS = /^HTTP\/1\.[01] (\d{3})(?: |$)/

/** Removes the announced length, which a rewritten body no longer has. */
function withoutLength(fields: readonly Field[]): readonly Field[] {
  return fields.filter(({ name }) => name.toLowerCase() !== 'content-length')
}
