import { ADVERTISEMENT, isAdvertised } from './advertised-operation.ts'
import { decidingCharacters, possibleJsonUrl, rewriteJsonUrl } from './json-string.ts'
import { LINK_ANNOTATIONS, LONGEST_LINK_ANNOTATION } from './link-names.ts'
import { beforeSpace, codeAt, stretch } from './look-back.ts'
import { type Edit, splice } from './splice.ts'
import { textOf, type TextTransform } from './text-transform.ts'
import type { UrlMap, UrlRule } from './url-map.ts'

/** What else the caller of `jsonLinksOutward` knows about the answer. */
export interface ResponseLinkOptions {
  /** The answer is that of a background operation: its `location`, a name that a column may have as well, is a link. */
  readonly backgroundOperation?: boolean
}

/**
 * Turns the links of a JSON answer into links to the gateway; data that looks like a link stays as it is.
 *
 * No JSON is parsed. In valid JSON the text `@odata.nextLink" : "https:`, with quotes that are not escaped, can only
 * be a member's name and the beginning of its value: inside a string the quotes were escaped, outside of one the name
 * could not stand. So every URL found is judged by what stands before it, and at most the beginning of one URL is held
 * back. A name and its URL that lie further than 256 characters of white space apart are not recognised. The `target`
 * of an action or function that the answer advertises is judged by the name of the object around it.
 *
 * @see https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html#ControlInformation
 */
export function responseLinks(map: UrlMap, options: ResponseLinkOptions = {}): TextTransform {
  const kind = {
    rule: map.downstream,
    marks: map.target.marks,
    names: options.backgroundOperation === true ? BACKGROUND_LINKS : LINKS,
  }
  let before = ''
  let held = ''

  function turn(text: string, end: number): string {
    const edits = linksIn(text, before, end, kind)
    before = end >= KEPT ? text.slice(end - KEPT, end) : (before + text.slice(0, end)).slice(-KEPT)
    held = text.slice(end)
    return splice(text, end, edits)
  }

  return {
    push(chunk) {
      const text = held + chunk
      return turn(text, decidedEnd(text, before, kind))
    },
    end() {
      return turn(held, held.length)
    },
    complete(text) {
      return splice(text, text.length, linksIn(text, '', text.length, kind))
    },
    skip(bytes) {
      const end = KEPT + decidingCharacters(kind.rule)
      if (held !== '' || bytes.length < end || kind.marks.some((mark) => holds(bytes, mark))) return false
      const tail = textOf(bytes, bytes.length - end)
      if (decidedEnd(tail, '', kind) < tail.length) return false
      before = tail.slice(-KEPT)
      return true
    },
  }
}

/** Which members are links, and what becomes of them. */
interface Kind {
  readonly rule: UrlRule
  readonly marks: readonly string[]
  readonly names: ReadonlySet<string>
}

const QUOTE = 0x22
const COLON = 0x3a
const AT = 0x40
const BACKSLASH = 0x5c

const LINKS: ReadonlySet<string> = new Set([...LINK_ANNOTATIONS].map((name) => `@${name}`))
const LOCATION = '"location'
const BACKGROUND_LINKS: ReadonlySet<string> = new Set([...LINKS, LOCATION])
const TARGET = '"target'

const LONGEST_NAME = LONGEST_LINK_ANNOTATION + 1
const LOOK_BACK = 256
const KEPT = LOOK_BACK + LONGEST_NAME + 8 + ADVERTISEMENT

function linksIn(text: string, before: string, end: number, { rule, marks, names }: Kind): readonly Edit[] {
  const edits: Edit[] = []
  for (const mark of marks) {
    const sorted = edits.length
    for (let at = text.indexOf(mark); at !== -1 && at < end; at = text.indexOf(mark, at + 2)) {
      if (text.charCodeAt(at - 1) !== COLON) continue
      // `"https:` or `"http:`
      const quote = text.charCodeAt(at - 7) === QUOTE ? at - 7 : at - 6
      if (text.charCodeAt(quote) !== QUOTE || !isLink(text, before, quote, names)) continue
      const found = rewriteJsonUrl(rule, startOfString(text, quote + 1, rule))
      if (found !== undefined) edits.push({ from: quote + 1, to: quote + 1 + found.length, put: found.replacement })
    }
    if (sorted > 0 && edits.length > sorted) edits.sort((one, other) => one.from - other.from)
  }
  return edits
}

/** The last letter first: of a capital there is often none, and one byte is found many times faster than three. */
function holds(bytes: Buffer, mark: string): boolean {
  return bytes.includes(mark.charCodeAt(mark.length - 1)) && bytes.includes(mark, 0, 'latin1')
}

/** Where the last link begins whose URL goes on in the next chunk; the end, when there is none. */
function decidedEnd(text: string, before: string, { rule, names }: Kind): number {
  const floor = Math.max(0, text.length - decidingCharacters(rule))
  let quote = text.length - 1
  while (quote >= floor && text.charCodeAt(quote) !== QUOTE) quote--
  if (quote < floor || !isLink(text, before, quote, names)) return text.length
  return possibleJsonUrl(rule, startOfString(text, quote + 1, rule)) ? quote : text.length
}

function startOfString(text: string, from: number, rule: UrlRule): string {
  const start = text.slice(from, from + decidingCharacters(rule))
  const quote = start.indexOf('"')
  return quote === -1 ? start : start.slice(0, quote)
}

/** Whether the string that opens at `quote` is the value of one of `names`. */
function isLink(text: string, before: string, quote: number, names: ReadonlySet<string>): boolean {
  const floor = quote - LOOK_BACK
  let at = beforeSpace(text, before, quote - 1, floor)
  if (codeAt(text, before, at) !== COLON) return false
  at = beforeSpace(text, before, at - 1, floor)
  if (codeAt(text, before, at) !== QUOTE) return false

  const end = at
  for (let length = 1; length <= LONGEST_NAME; length++) {
    const code = codeAt(text, before, --at)
    if (code === undefined) return false
    if (code === AT) return names.has(stretch(text, before, at, end))
    // Most strings that look like a URL are some column's: no text is made of its name.
    if (code === QUOTE) {
      if (length === TARGET.length) return stretch(text, before, at, end) === TARGET && isAdvertised(text, before, at)
      return (
        length === LOCATION.length &&
        names.has(stretch(text, before, at, end)) &&
        codeAt(text, before, at - 1) !== BACKSLASH
      )
    }
  }
  return false
}
