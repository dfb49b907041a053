import { MalformedBatch, OversizedBatch, RefusedPart } from './batch-error.ts'
import { type BatchOptions, type PartAuthorizer, partAuthorizer } from './batch-operation.ts'
import { type Field, headerFields } from './header-fields.ts'
import { jsonScanner, type ScannedValue } from './json-scanner.ts'
import { asciiString, textOf } from './json-text.ts'
import { requestLinks } from './request-links.ts'
import { type Edit, pieces } from './splice.ts'
import { textBuffer } from './text-buffer.ts'
import type { TextTransform } from './text-transform.ts'
import type { UrlMap } from './url-map.ts'

/** Largest batch in JSON, in bytes. It is buffered until it is complete. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024
/** Limit of members in the batch, in one of its requests, and in the headers of one. */
const MAX_MEMBERS = 100

/**
 * Turns a `$batch` in JSON into one for the target, as `batchInward` describes. It is read as it comes, and held until
 * it is complete, so that nothing of a refused one is forwarded. Then it is forwarded unchanged, except for URLs, links and
 * headers.
 *
 * @see https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html
 */
export function requestJsonBatch(map: UrlMap, options: BatchOptions): TextTransform {
  const judgement = partAuthorizer(map, options)
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
          if (inRequests) judged(value)
          members = []
          break
        case MEMBER:
          if (inRequests && value.nameStart !== -1) {
            if (members.push({ ...value, inner }) > MAX_MEMBERS) throw new RefusedPart(tooMany(judgement.subject()))
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
    const name = textOf(text.slice(start - base, end - base)).toLowerCase()
    if (names.has(name)) throw new RefusedPart(`The batch has the member ${JSON.stringify(name)} twice.`)
    if (names.add(name).size > MAX_MEMBERS) throw new RefusedPart(tooMany('The batch'))
    return name
  }

  function judged(request: ScannedValue): void {
    const text = rest.take()
    rest.add(text)
    pass(
      request.end,
      editsOf((start, end) => text.slice(start - base, end - base), members, judgement),
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

/** A member of a request, and its direct members. */
interface Member extends ScannedValue {
  readonly inner: readonly ScannedValue[]
}

/** The text between two positions of the batch. */
type Slice = (start: number, end: number) => string

function editsOf(slice: Slice, members: readonly Member[], judgement: PartAuthorizer): readonly Edit[] {
  const { method, url, headers, id } = named(slice, members, judgement.subject())
  if (method === undefined || url === undefined) {
    throw new MalformedBatch(`${judgement.subject()} has no method or no URL.`)
  }
  if (headers !== undefined && headers.inner.length > MAX_MEMBERS) {
    throw new RefusedPart(tooMany(judgement.subject()))
  }
  const texts = new Map<Field, string>()
  for (const member of headers?.inner ?? []) {
    if (member.nameStart !== -1) texts.set(field(slice, member, judgement), slice(member.nameStart, member.end))
  }
  const rawUrl = textOf(slice(url.start, url.end))
  const fields = [...texts.keys()]
  const head = { method: textOf(slice(method.start, method.end)), url: rawUrl, around: [], headers: fields }
  const turned = judgement.operation({ ...head, id: idOf(slice, id), group: 0 })
  const edits: Edit[] = turned.url === rawUrl ? [] : [{ from: url.start, to: url.end, put: asciiString(turned.url) }]
  const isSame = turned.headers.length === fields.length && turned.headers.every((kept) => texts.has(kept))
  if (headers !== undefined && !isSame) {
    const put = turned.headers.map((kept) => texts.get(kept) ?? `${asciiString(kept.name)}:${asciiString(kept.value)}`)
    edits.push({ from: headers.start, to: headers.end, put: `{${put.join(',')}}` })
  }
  return edits.sort((one, other) => one.from - other.from)
}

/** Members by name in lower case. */
function named(
  slice: Slice,
  members: readonly Member[],
  subject: string,
): Readonly<Record<string, Member | undefined>> {
  const found: Record<string, Member> = Object.create(null) as Record<string, Member>
  for (const member of members) {
    const name = textOf(slice(member.nameStart, member.nameEnd)).toLowerCase()
    if (found[name] !== undefined) throw new RefusedPart(`${subject} has the member ${JSON.stringify(name)} twice.`)
    found[name] = member
  }
  return found
}

function field(slice: Slice, { nameStart, nameEnd, start, end }: ScannedValue, judgement: PartAuthorizer): Field {
  const name = textOf(slice(nameStart, nameEnd))
  const raw = slice(start, end)
  const value = textOf(raw)
  if (headerFields([`${name}:`]) === undefined || raw[0] !== '"' || /\p{Cc}/u.test(value)) {
    throw new MalformedBatch(`${judgement.subject()} has a header that is none.`)
  }
  return { name, value }
}

function idOf(slice: Slice, id: ScannedValue | undefined): string | undefined {
  if (id === undefined) return undefined
  const raw = slice(id.start, id.end)
  return textOf(raw) || raw
}

function tooMany(subject: string): string {
  return `${subject} has more than ${MAX_MEMBERS} members or headers.`
}

/** Characters that are forwarded at once, so that the event loop is not blocked by all of them. */
const CHUNK_CHARACTERS = 64 * 1024

/** The depth of the values that matter: `{"requests":[{"headers":{"If-Match":"*"}}]}`. */
const TOP = 1
const REQUEST = 2
const MEMBER = 3
const HEADER = 4
