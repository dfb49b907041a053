import { Buffer } from 'node:buffer'
import type { ByteTransform } from './byte-transform.ts'
import { decidingBytes, possibleJsonUrl, rewriteJsonUrl } from './json-string.ts'
import { type Edit, splice } from './splice.ts'
import type { UrlMap, UrlRule } from './url-map.ts'

/** What else the caller of `jsonLinksOutward` knows about the answer. */
export interface OutwardOptions {
  /** The answer is that of a background operation: its `location`, a name that a column may have as well, is a link. */
  readonly backgroundOperation?: boolean
}

/**
 * Turns the links of a JSON answer into links to the gateway; data that looks like a link stays as it is.
 *
 * No JSON is parsed. In valid JSON the bytes `@odata.nextLink" : "https:`, with quotes that are not escaped, can only
 * be a member's name and the beginning of its value: inside a string the quotes were escaped, outside of one the name
 * could not stand. So every URL found is judged by the bytes before it, and at most the beginning of one URL is held
 * back. A name and its URL that lie further than 256 bytes of white space apart are not recognised.
 *
 * @see https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html#ControlInformation
 */
export function jsonLinksOutward(map: UrlMap, options: OutwardOptions = {}): ByteTransform {
  const kind = { rule: map.outward, hosts: map.target.hostBeginnings, names: options.backgroundOperation === true ? BACKGROUND_LINKS : LINKS }
  let before: Buffer = EMPTY
  let held: Buffer = EMPTY

  function turn(bytes: Buffer, end: number): readonly Buffer[] {
    const edits = linksIn(bytes, before, end, kind)
    before = lastOf(before, bytes, end)
    held = bytes.subarray(end)
    return splice(bytes, end, edits)
  }

  return {
    push(chunk) {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      return turn(bytes, decidedEnd(bytes, before, kind))
    },
    end() {
      return turn(held, held.length)
    },
  }
}

/** Which members are links, and what becomes of them. */
interface Kind {
  readonly rule: UrlRule
  readonly hosts: readonly Buffer[]
  readonly names: ReadonlySet<string>
}

const EMPTY = Buffer.alloc(0)
const QUOTE = 0x22
const COLON = 0x3a
const AT = 0x40
const BACKSLASH = 0x5c

const LINKS: ReadonlySet<string> = new Set([
  'context', 'id', 'nextLink', 'deltaLink', 'editLink', 'readLink', 'navigationLink', 'associationLink',
  'mediaReadLink', 'mediaEditLink',
].flatMap((name) => [`@odata.${name}`, `@${name}`]))
const LOCATION = '"location'
const BACKGROUND_LINKS: ReadonlySet<string> = new Set([...LINKS, LOCATION])

const LONGEST_NAME = '@odata.associationLink'.length
const LOOK_BACK = 256
const KEPT = LOOK_BACK + LONGEST_NAME + 8

/** As PHP and some .NET serializers write a double slash. */
const ESCAPED_SLASHES = Buffer.from('\\/\\/')

function linksIn(bytes: Buffer, before: Buffer, end: number, { rule, hosts, names }: Kind): readonly Edit[] {
  const edits: Edit[] = []
  for (const slashes of bytes.includes(ESCAPED_SLASHES) ? [...hosts, ESCAPED_SLASHES] : hosts) {
    const sorted = edits.length
    for (let at = bytes.indexOf(slashes); at !== -1 && at < end; at = bytes.indexOf(slashes, at + 2)) {
      if (bytes[at - 1] !== COLON) continue
      // `"https:` or `"http:`
      const quote = bytes[at - 7] === QUOTE ? at - 7 : at - 6
      if (bytes[quote] !== QUOTE || !isLink(bytes, before, quote, names)) continue
      const found = rewriteJsonUrl(rule, startOfString(bytes, quote + 1, rule))
      if (found !== undefined) edits.push({ from: quote + 1, to: quote + 1 + found.taken, put: found.put })
    }
    if (sorted > 0 && edits.length > sorted) edits.sort((one, other) => one.from - other.from)
  }
  return edits
}

/** Where the last link begins whose URL goes on in the next chunk; the end, when there is none. */
function decidedEnd(bytes: Buffer, before: Buffer, { rule, names }: Kind): number {
  const floor = Math.max(0, bytes.length - decidingBytes(rule))
  let quote = bytes.length - 1
  while (quote >= floor && bytes[quote] !== QUOTE) quote--
  if (quote < floor || !isLink(bytes, before, quote, names)) return bytes.length
  return possibleJsonUrl(rule, startOfString(bytes, quote + 1, rule)) ? quote : bytes.length
}

function startOfString(bytes: Buffer, from: number, rule: UrlRule): string {
  const text = bytes.toString('latin1', from, Math.min(from + decidingBytes(rule), bytes.length))
  const quote = text.indexOf('"')
  return quote === -1 ? text : text.slice(0, quote)
}

/** Whether the string that opens at `quote` is the value of one of `names`. */
function isLink(bytes: Buffer, before: Buffer, quote: number, names: ReadonlySet<string>): boolean {
  const floor = quote - LOOK_BACK
  let at = beforeSpace(bytes, before, quote - 1, floor)
  if (byteAt(bytes, before, at) !== COLON) return false
  at = beforeSpace(bytes, before, at - 1, floor)
  if (byteAt(bytes, before, at) !== QUOTE) return false

  const end = at
  for (let length = 1; length <= LONGEST_NAME; length++) {
    const byte = byteAt(bytes, before, --at)
    if (byte === undefined) return false
    if (byte === AT) return names.has(textOf(bytes, before, at, end))
    // Most strings that look like a URL are some column's: no text is made of its name.
    if (byte === QUOTE) {
      return length === LOCATION.length && names.has(textOf(bytes, before, at, end))
        && byteAt(bytes, before, at - 1) !== BACKSLASH
    }
  }
  return false
}

function textOf(bytes: Buffer, before: Buffer, from: number, to: number): string {
  if (from >= 0) return bytes.toString('latin1', from, to)
  return to <= 0
    ? textOf(before, before, from + before.length, to + before.length)
    : textOf(bytes, before, from, 0) + textOf(bytes, before, 0, to)
}

function beforeSpace(bytes: Buffer, before: Buffer, at: number, floor: number): number {
  while (at > floor && isSpace(byteAt(bytes, before, at))) at--
  return at
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** Counts on backwards into what went before. */
function byteAt(bytes: Buffer, before: Buffer, at: number): number | undefined {
  return at < 0 ? before[before.length + at] : bytes[at]
}

function lastOf(before: Buffer, bytes: Buffer, end: number): Buffer {
  if (end >= KEPT) return bytes.subarray(end - KEPT, end)
  if (end === 0) return before
  const kept = Buffer.concat([before, bytes.subarray(0, end)])
  return kept.subarray(Math.max(0, kept.length - KEPT))
}
