import { MalformedBatch, RefusedPart } from './batch-error.ts'
import { type BatchOptions, type Judge, judge } from './batch-operation.ts'
import type { TextTransform } from './text-transform.ts'
import { type Field, headerFields } from './header-fields.ts'
import { afterSpace, asciiString, elementsAt, type Member, membersAt, textOf } from './json-spans.ts'
import { jsonLinksInward } from './links-inward.ts'
import { type Edit, splice } from './splice.ts'
import type { UrlMap } from './url-map.ts'

/** Largest batch in JSON, which is held in memory until it is whole. */
const LIMIT = 16 * 1024 * 1024

/**
 * Turns a `$batch` in JSON into one for the target, as `batchInward` describes. It is held until it is whole, so that
 * nothing goes on of one that is refused; then it goes on as it came, but for URLs, links and headers.
 *
 * @see https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html
 */
export function jsonBatchInward(map: UrlMap, options: BatchOptions): TextTransform {
  let text = ''
  return {
    push(chunk) {
      text += chunk
      if (text.length > LIMIT) throw new MalformedBatch('The batch is longer than 16 MiB; send it as multipart/mixed.')
      return ''
    },
    end() {
      const links = jsonLinksInward(map)
      return links.push(splice(text, text.length, editsOf(text, judge(map, options)))) + links.end()
    },
  }
}

function editsOf(text: string, judgement: Judge): readonly Edit[] {
  const json = text.replace(BYTE_ORDER_MARK, '   ')
  try {
    JSON.parse(json)
  } catch (cause) {
    throw new MalformedBatch('The batch is no valid JSON.', { cause })
  }
  const { requests } = named(json, afterSpace(json, 0), 'The batch')
  const elements = requests === undefined ? undefined : elementsAt(json, requests.start)
  if (elements === undefined) throw new MalformedBatch('The batch holds no array of requests.')
  const edits = elements.flatMap(({ start }) => editsOfRequest(json, start, judgement))
  return edits.sort((one, other) => one.from - other.from)
}

function editsOfRequest(json: string, start: number, judgement: Judge): readonly Edit[] {
  const { method, url, headers, id } = named(json, start, judgement.subject())
  if (method === undefined || url === undefined) {
    throw new MalformedBatch(`${judgement.subject()} has no method or no URL.`)
  }
  const members = headers === undefined ? [] : membersAt(json, headers.start)
  const texts = new Map<Field, string>()
  for (const member of members) texts.set(field(json, member, judgement), json.slice(member.nameStart, member.end))

  const rawUrl = textOf(json, url)
  const fields = [...texts.keys()]
  const head = { method: textOf(json, method), url: rawUrl, around: [], headers: fields }
  const written = { ...head, id: idOf(json, id), group: 0 }
  const turned = judgement.operation(written)
  const edits: Edit[] = turned.url === rawUrl ? [] : [{ from: url.start, to: url.end, put: asciiString(turned.url) }]
  const isSame = turned.headers.length === fields.length && turned.headers.every((kept) => texts.has(kept))
  if (headers !== undefined && !isSame) {
    const put = turned.headers.map((kept) => texts.get(kept) ?? `${asciiString(kept.name)}:${asciiString(kept.value)}`)
    edits.push({ from: headers.start, to: headers.end, put: `{${put.join(',')}}` })
  }
  return edits
}

/** Members by name in lower case, for some services read the names of a batch without regard to case. */
function named(json: string, start: number, subject: string): Readonly<Record<string, Member | undefined>> {
  const found: Record<string, Member> = Object.create(null) as Record<string, Member>
  for (const member of membersAt(json, start)) {
    const name = member.name.toLowerCase()
    if (found[name] !== undefined) throw new RefusedPart(`${subject} has the member ${JSON.stringify(name)} twice.`)
    found[name] = member
  }
  return found
}

function field(json: string, member: Member, judgement: Judge): Field {
  const value = textOf(json, member)
  if (headerFields([`${member.name}:`]) === undefined || json[member.start] !== '"' || /\p{Cc}/u.test(value)) {
    throw new MalformedBatch(`${judgement.subject()} has a header that is none.`)
  }
  return { name: member.name, value }
}

function idOf(json: string, id: Member | undefined): string | undefined {
  return id === undefined ? undefined : textOf(json, id) || json.slice(id.start, id.end)
}

const BYTE_ORDER_MARK = /^\u00ef\u00bb\u00bf/
