import { MalformedBatch, OversizedBatch, RefusedPart } from './batch-error.ts'
import { type BatchOptions, partAuthorizer } from './batch-operation.ts'
import { editsOf, MAX_MEMBERS, type Member, tooMany } from './json-batch-request.ts'
import { jsonScanner, type ScannedValue } from './json-scanner.ts'
import { stringValue } from './json-text.ts'
import { requestLinks } from './request-links.ts'
import { type Edit, pieces } from './splice.ts'
import { textBuffer } from './text-buffer.ts'
import type { TextTransform } from './text-transform.ts'
import type { UrlMap } from './url-map.ts'

/** Largest batch in JSON, in bytes. It is buffered until it is complete. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024

/**
 * Turns a `$batch` in JSON into one for the target, as `batchInward` describes. It is read as it comes, and buffered until
 * it is complete, so that nothing of a refused one is forwarded. Then it is forwarded unchanged, except for URLs, links and
 * headers.
 *
 * @see https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html
 */
export function requestJsonBatch(map: UrlMap, options: BatchOptions): TextTransform {
  const authorizer = partAuthorizer(map, options)
  /** The part that is read and checked, in chunks. */
  const read: string[] = []
  /** The rest, from `base` on. */
  const rest = textBuffer()
  let base = 0
  let size = 0
  const names = new Set<string>()
  let inRequests = false
  let hasRequests = false
  let members: Member[] = []
  let inner: ScannedValue[] = []

  const scanner = jsonScanner({
    maxDepth: HEADER,
    begins({ depth, nameStart, nameEnd }, isArray) {
      if (depth !== TOP || nameStart === -1) return
      inRequests = nameOf(nameStart, nameEnd) === 'requests' && isArray
      hasRequests ||= inRequests
    },
    ends(value) {
      switch (value.depth) {
        case TOP:
          pass(value.end, [])
          inRequests = false
          break
        case REQUEST:
          if (inRequests) checkRequest(value)
          members = []
          break
        case MEMBER:
          if (inRequests && value.nameStart !== -1) {
            if (members.push({ ...value, inner }) > MAX_MEMBERS) throw new RefusedPart(tooMany(authorizer.subject()))
          }
          inner = []
          break
        case HEADER:
          // One more than the limit, so that the error is found.
          if (inRequests && inner.length <= MAX_MEMBERS) inner.push(value)
          break
      }
    },
  })

  /** A member of the batch, in lower case, for some services read the names of a batch without regard to case. */
  function nameOf(start: number, end: number): string {
    const text = rest.take()
    rest.add(text)
    const name = stringValue(text.slice(start - base, end - base)).toLowerCase()
    if (names.has(name)) throw new RefusedPart(`The batch has the member ${JSON.stringify(name)} twice.`)
    if (names.add(name).size > MAX_MEMBERS) throw new RefusedPart(tooMany('The batch'))
    return name
  }

  function checkRequest(request: ScannedValue): void {
    const text = rest.take()
    rest.add(text)
    pass(
      request.end,
      editsOf((start, end) => text.slice(start - base, end - base), members, authorizer),
    )
  }

  /** Marks the text before `end` as read. */
  function pass(end: number, edits: readonly Edit[]): void {
    const text = rest.take()
    const inText = edits.map(({ from, to, put }) => ({ from: from - base, to: to - base, put }))
    read.push(...pieces(text, end - base, inText))
    rest.add(text.slice(end - base))
    base = end
  }

  function* turned(): Generator<string> {
    scanner.end()
    if (!hasRequests) throw new MalformedBatch('The batch holds no array of requests.')
    read.push(rest.take())
    const links = requestLinks(map)
    for (const piece of read.splice(0)) {
      for (let at = 0; at < piece.length; at += CHUNK_CHARACTERS)
        yield links.push(piece.slice(at, at + CHUNK_CHARACTERS))
    }
    yield links.end()
    options.onEnd?.()
  }

  return {
    push(chunk) {
      size += chunk.length
      if (size > MAX_BATCH_BYTES) throw new OversizedBatch(MAX_BATCH_BYTES)
      rest.add(chunk)
      scanner.scan(chunk)
      return ''
    },
    end: () => [...turned()].join(''),
    endInPieces: turned,
  }
}

/** Characters that are forwarded at once, so that the event loop is not blocked by all of them. */
const CHUNK_CHARACTERS = 64 * 1024

/** The depth of the values that matter: `{"requests":[{"headers":{"If-Match":"*"}}]}`. */
const TOP = 1
const REQUEST = 2
const MEMBER = 3
const HEADER = 4
