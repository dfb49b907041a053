import { MalformedBatch, RefusedPart } from './batch-error.ts'
import { boundaryOf, isJson, mediaType } from './content-type.ts'
import type { ByteTransform } from './byte-transform.ts'
import { type Field, trimBlanks, valueOf } from './header-fields.ts'
import { jsonLinksInward } from './links-inward.ts'
import { jsonLinksOutward } from './links-outward.ts'
import { multipart, type MultipartRules, type TurnedMessage, type TurnedPart } from './multipart.ts'
import { operationUrl } from './operation-url.ts'
import { partHeaders } from './part-headers.ts'
import { outwardHeader, type UrlMap } from './url-map.ts'

/** An operation of a `$batch`, for a policy to judge before anything of it is sent on. */
export interface BatchOperation {
  /** Counts from 1. */
  readonly part: number
  /** In upper case. */
  readonly method: string
  /** Raw, below the API root, without its query: `/accounts(1)`. `$1` is resolved to the resource of the part it refers to. */
  readonly resourcePath: string
  /** Raw, without its question mark. */
  readonly query: string
  /** As the caller sent them, those of the part before those of the request. */
  readonly headers: readonly Field[]
}

/** How a `$batch` is turned inward. */
export interface BatchOptions {
  /** What it throws ends the batch. */
  readonly onPart: (operation: BatchOperation) => void
  /** Names of headers, in lower case, that are the gateway's own and do not go on. */
  readonly dropped?: ReadonlySet<string>
}

/**
 * Turns a multipart `$batch` of a caller into one for the target: URLs, `Host` headers and links in JSON bodies.
 * What was sent on before a part was refused stays sent: only an aborted request keeps it from being carried out.
 *
 * @param contentType header of the request; its boundary stays the same
 * @throws MalformedBatch, RefusedPart at once or while the batch streams; whatever `onPart` throws
 */
export function batchInward(map: UrlMap, contentType: string, { onPart, dropped = new Set() }: BatchOptions): ByteTransform {
  const references = new Map<string, string>()
  const contentIds = new Set<string>()
  let changeSets = 0
  let changeSet = 0
  const host = map.target.origins[0]!.replace(/^https?:\/\//, '')
  let count = 0

  function part(fields: readonly Field[], inChangeSet: boolean): TurnedPart {
    const type = valueOf(fields, 'content-type') ?? ''
    const kept = partHeaders(fields, host, dropped, `Part ${count + 1} of the batch`).filter(({ name }) => name.toLowerCase() !== 'host')
    changeSet = inChangeSet ? changeSets : 0
    if (mediaType(type) === 'application/http') return { fields: kept, content: 'message' }
    if (mediaType(type) !== 'multipart/mixed') throw new RefusedPart(`Part ${count + 1} of the batch is neither application/http nor a change set.`)
    if (inChangeSet) throw new RefusedPart(`Part ${count + 1} of the batch is a change set within a change set.`)
    changeSets++
    return { fields: kept, content: { boundary: boundaryIn(type) } }
  }

  function message(startLine: string, fields: readonly Field[], partFields: readonly Field[]): TurnedMessage {
    count++
    const subject = `Part ${count} of the batch`
    if (count > MOST_OPERATIONS) throw new RefusedPart('The batch holds more than 1,000 operations.')
    const { method, rawUrl, version } = requestLine(startLine)
    if (!/^[A-Z]+$/i.test(method) || rawUrl === '' || !/^HTTP\/\d\.\d$/.test(version)) {
      throw new MalformedBatch(`${subject} does not begin with a method, a URL and HTTP/1.1.`)
    }

    const { url, resourcePath, query } = operationUrl(map, rawUrl, references, subject)
    if (/^\/(?:\$|%24)batch\b/i.test(resourcePath)) throw new RefusedPart(`${subject} is a batch within the batch.`)
    const headers = [...partFields, ...fields]
    const kept = partHeaders(fields, host, dropped, subject)
    onPart({ part: count, method: method.toUpperCase(), resourcePath, query, headers })
    remember(method, resourcePath, valueOf(headers, 'content-id'), subject)
    return { startLine: `${method} ${url} ${version}`, fields: kept, body: bodyInward(method, fields) }
  }

  function bodyInward(method: string, fields: readonly Field[]): ByteTransform | undefined {
    if (/^(?:GET|HEAD|DELETE)$/i.test(method)) return withoutBlankLines()
    const type = valueOf(fields, 'content-type')
    return (type === undefined || isJson(type)) && !isEncoded(fields) ? jsonLinksInward(map) : undefined
  }

  function remember(method: string, resourcePath: string, contentId: string | undefined, subject: string): void {
    if (contentId === undefined) return
    const unique = `${changeSet} ${contentId}`
    if (/[^\w-]/.test(contentId) || SYSTEM_NAMES.has(contentId) || contentIds.has(unique)) {
      throw new RefusedPart(`${subject} has a Content-ID that is no plain name or was used before.`)
    }
    contentIds.add(unique)
    references.set(contentId, method.toUpperCase() === 'POST' ? `${resourcePath}($${contentId})` : resourcePath)
  }

  const rules = { boundary: boundaryIn(contentType), falseDelimiters: 'refused', afterChangeSet: '\r\n', part, message } as const
  return multipart(rules satisfies MultipartRules)
}

/**
 * Turns the multipart answer to a `$batch` into one for the caller: `Location`, `OData-EntityId` and links in JSON bodies.
 *
 * @param contentType header of the answer; its boundary stays the same
 * @throws MalformedBatch at once or while the answer streams, also when it ends too early
 */
export function batchOutward(map: UrlMap, contentType: string): ByteTransform {
  function part(fields: readonly Field[], inChangeSet: boolean): TurnedPart {
    const type = valueOf(fields, 'content-type') ?? ''
    const kept = without(fields, 'content-length')
    if (mediaType(type) === 'application/http') return { fields: kept, content: 'message' }
    if (mediaType(type) === 'multipart/mixed' && !inChangeSet) return { fields: kept, content: { boundary: boundaryIn(type) } }
    return { fields, content: 'bytes' }
  }

  function message(startLine: string, fields: readonly Field[]): TurnedMessage {
    const turned = fields.map(field => (/^(?:location|odata-entityid)$/i.test(field.name) ? { ...field, value: outwardHeader(map, field.value) } : field))
    if (!isJson(valueOf(fields, 'content-type')) || isEncoded(fields)) return { startLine, fields: turned, body: undefined }
    return { startLine, fields: without(turned, 'content-length'), body: jsonLinksOutward(map) }
  }

  return multipart({ boundary: boundaryIn(contentType), falseDelimiters: 'data', afterChangeSet: '', part, message })
}

/** The URL stands between the first blank and the last, for not every caller encodes the blanks in it. */
function requestLine(line: string): { readonly method: string; readonly rawUrl: string; readonly version: string } {
  const text = trimBlanks(line)
  const first = text.indexOf(' ')
  const last = text.lastIndexOf(' ')
  return { method: text.slice(0, Math.max(first, 0)), rawUrl: trimBlanks(text.slice(first, last)), version: text.slice(last + 1) }
}

const MOST_OPERATIONS = 1000

/** What else may stand behind a `$` at the beginning of a URL. */
const SYSTEM_NAMES: ReadonlySet<string> = new Set(['batch', 'metadata', 'entity', 'all', 'crossjoin', 'root'])

function boundaryIn(contentType: string): string {
  const boundary = mediaType(contentType) === 'multipart/mixed' ? boundaryOf(contentType) : undefined
  if (boundary === undefined) throw new MalformedBatch('The Content-Type of a batch or change set names no boundary, or several.')
  return boundary
}

function isEncoded(fields: readonly Field[]): boolean {
  return (valueOf(fields, 'content-encoding') ?? 'identity').toLowerCase() !== 'identity'
}

function without(fields: readonly Field[], name: string): readonly Field[] {
  return fields.filter(field => field.name.toLowerCase() !== name)
}

/** Requests without a body are often followed by blank lines, in whatever spelling. */
function withoutBlankLines(): ByteTransform {
  let begun = false
  return {
    push(chunk) {
      const start = begun ? 0 : chunk.findIndex(byte => byte !== 0x0a && byte !== 0x0d)
      begun ||= start !== -1
      return start === -1 ? [] : [chunk.subarray(start)]
    },
    end: () => [],
  }
}
