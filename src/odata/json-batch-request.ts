import { MalformedBatch, RefusedPart } from './batch-error.ts'
import type { PartAuthorizer } from './batch-operation.ts'
import { type Field, headerFields } from './header-fields.ts'
import type { ScannedValue } from './json-scanner.ts'
import { asciiString, stringValue } from './json-text.ts'
import type { Edit } from './splice.ts'

/** Limit of members in the batch, in one of its requests, and in the headers of one. */
export const MAX_MEMBERS = 100

/** A member of a request, and its direct members. */
export interface Member extends ScannedValue {
  readonly inner: readonly ScannedValue[]
}

/** The text between two positions of the batch. */
type Slice = (start: number, end: number) => string

/** Has a request of the batch checked, and returns the changes to its text. */
export function editsOf(slice: Slice, members: readonly Member[], authorizer: PartAuthorizer): readonly Edit[] {
  const { method, url, headers, id } = named(slice, members, authorizer.subject())
  if (method === undefined || url === undefined) {
    throw new MalformedBatch(`${authorizer.subject()} has no method or no URL.`)
  }
  if (headers !== undefined && headers.inner.length > MAX_MEMBERS) {
    throw new RefusedPart(tooMany(authorizer.subject()))
  }
  const texts = new Map<Field, string>()
  for (const member of headers?.inner ?? []) {
    if (member.nameStart !== -1) texts.set(field(slice, member, authorizer), slice(member.nameStart, member.end))
  }
  const rawUrl = stringValue(slice(url.start, url.end))
  const fields = [...texts.keys()]
  const head = { method: stringValue(slice(method.start, method.end)), url: rawUrl, around: [], headers: fields }
  const rewritten = authorizer.operation({ ...head, id: idOf(slice, id), group: 0 })
  const edits: Edit[] =
    rewritten.url === rawUrl ? [] : [{ from: url.start, to: url.end, put: asciiString(rewritten.url) }]
  const isSame = rewritten.headers.length === fields.length && rewritten.headers.every((header) => texts.has(header))
  if (headers !== undefined && !isSame) {
    const newHeaders = rewritten.headers.map(
      (header) => texts.get(header) ?? `${asciiString(header.name)}:${asciiString(header.value)}`,
    )
    edits.push({ from: headers.start, to: headers.end, put: `{${newHeaders.join(',')}}` })
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
    const name = stringValue(slice(member.nameStart, member.nameEnd)).toLowerCase()
    if (found[name] !== undefined) throw new RefusedPart(`${subject} has the member ${JSON.stringify(name)} twice.`)
    found[name] = member
  }
  return found
}

function field(slice: Slice, { nameStart, nameEnd, start, end }: ScannedValue, authorizer: PartAuthorizer): Field {
  const name = stringValue(slice(nameStart, nameEnd))
  const raw = slice(start, end)
  const value = stringValue(raw)
  if (headerFields([`${name}:`]) === undefined || raw[0] !== '"' || /\p{Cc}/u.test(value)) {
    throw new MalformedBatch(`${authorizer.subject()} has a malformed header.`)
  }
  return { name, value }
}

function idOf(slice: Slice, id: ScannedValue | undefined): string | undefined {
  if (id === undefined) return undefined
  const raw = slice(id.start, id.end)
  return stringValue(raw) || raw
}

/** The error of a batch or request with too many members. */
export function tooMany(subject: string): string {
  return `${subject} has more than ${MAX_MEMBERS} members or headers.`
}
