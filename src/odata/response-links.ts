import { MAX_NAME_DISTANCE, isAdvertised } from './advertised-operation.ts'
import { BACKSLASH, COLON, QUOTE } from './json-characters.ts'
import { decidingCharacters, possibleJsonUrl, rewriteJsonUrl, untilQuote } from './json-string.ts'
import { LINK_ANNOTATIONS, MAX_LINK_ANNOTATION_LENGTH } from './link-names.ts'
import { beforeSpace, codeAt, stretch } from './look-back.ts'
import { type Edit, splice } from './splice.ts'
import { textOf, type TextTransform } from './text-transform.ts'
import type { UrlMap, UrlRule } from './url-map.ts'

/** Facts about the response. */
export interface ResponseLinkOptions {
  /** Whether it is the response of a background operation, whose `location` (also a possible column) is a link. */
  readonly backgroundOperation?: boolean
}

/**
 * Rewrites the links of a JSON response as links to the gateway. Data that looks like a link is unchanged.
 *
 * No JSON is parsed. In valid JSON the text `@odata.nextLink" : "https:`, with quotes that are not escaped, can only
 * be a member's name and the start of its value: inside a string the quotes would be escaped, and outside of one the
 * name would not be valid. So every URL is classified by the text before it, and at most the start of one URL is
 * buffered. A name and its URL with more than 256 characters of white space between them are not recognised. The
 * `target` of an advertised action or function is classified by the name of the object around it.
 *
 * @see https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html#ControlInformation
 */
export function responseLinks(map: UrlMap, options: ResponseLinkOptions = {}): TextTransform {
  const kind = {
    rule: map.downstream,
    urlHints: map.target.urlHints,
    names: options.backgroundOperation === true ? BACKGROUND_LINKS : LINKS,
  }
  let before = ''
  let pending = ''

  function turn(text: string, end: number): string {
    const edits = linksIn(text, before, end, kind)
    before = end >= KEPT ? text.slice(end - KEPT, end) : (before + text.slice(0, end)).slice(-KEPT)
    pending = text.slice(end)
    return splice(text, end, edits)
  }

  return {
    push(chunk) {
      const text = pending + chunk
      return turn(text, decidedEnd(text, before, kind))
    },
    end() {
      return turn(pending, pending.length)
    },
    complete(text) {
      return splice(text, text.length, linksIn(text, '', text.length, kind))
    },
    skip(bytes) {
      const end = KEPT + decidingCharacters(kind.rule)
      if (pending !== '' || bytes.length < end || kind.urlHints.some((hint) => holds(bytes, hint))) return false
      const tail = textOf(bytes, bytes.length - end)
      if (decidedEnd(tail, '', kind) < tail.length) return false
      before = tail.slice(-KEPT)
      return true
    },
  }
}

/** A kind of link: its members, and how they are rewritten. */
interface Kind {
  readonly rule: UrlRule
  readonly urlHints: readonly string[]
  readonly names: ReadonlySet<string>
}

const AT = 0x40

const LINKS: ReadonlySet<string> = new Set([...LINK_ANNOTATIONS].map((name) => `@${name}`))
const LOCATION = '"location'
const BACKGROUND_LINKS: ReadonlySet<string> = new Set([...LINKS, LOCATION])
const TARGET = '"target'

const LONGEST_NAME = MAX_LINK_ANNOTATION_LENGTH + 1
const LOOK_BACK = 256
const KEPT = LOOK_BACK + LONGEST_NAME + 8 + MAX_NAME_DISTANCE

function linksIn(text: string, before: string, end: number, { rule, urlHints, names }: Kind): readonly Edit[] {
  const edits: Edit[] = []
  for (const hint of urlHints) {
    const sorted = edits.length
    for (let at = text.indexOf(hint); at !== -1 && at < end; at = text.indexOf(hint, at + 2)) {
      if (text.charCodeAt(at - 1) !== COLON) continue
      // `"https:` or `"http:`
      const quote = text.charCodeAt(at - 7) === QUOTE ? at - 7 : at - 6
      if (text.charCodeAt(quote) !== QUOTE || !isLink(text, before, quote, names)) continue
      const found = rewriteJsonUrl(rule, untilQuote(text, quote + 1, decidingCharacters(rule)))
      if (found !== undefined) edits.push({ from: quote + 1, to: quote + 1 + found.length, put: found.replacement })
    }
    if (sorted > 0 && edits.length > sorted) edits.sort((one, other) => one.from - other.from)
  }
  return edits
}

/** Searches the last letter first: an upper-case letter is rare, and one byte is found many times faster than three. */
function holds(bytes: Buffer, hint: string): boolean {
  return bytes.includes(hint.charCodeAt(hint.length - 1)) && bytes.includes(hint, 0, 'latin1')
}

/** The start of the last link, if its URL continues in the next chunk; otherwise the end. */
function decidedEnd(text: string, before: string, { rule, names }: Kind): number {
  const floor = Math.max(0, text.length - decidingCharacters(rule))
  let quote = text.length - 1
  while (quote >= floor && text.charCodeAt(quote) !== QUOTE) quote--
  if (quote < floor || !isLink(text, before, quote, names)) return text.length
  return possibleJsonUrl(rule, untilQuote(text, quote + 1, decidingCharacters(rule))) ? quote : text.length
}

/** Whether the string that starts at `quote` is the value of one of `names`. */
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
    // Most strings that look like a URL are columns, so no string is created for their names.
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
