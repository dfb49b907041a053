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
  return new ResponseLinks(map, options.backgroundOperation === true ? BACKGROUND_LINKS : LINKS)
}

/** A class: functions that are created for each response would cost more than the links of most. */
class ResponseLinks implements TextTransform {
  readonly #map: UrlMap
  /** The names of members that are links. */
  readonly #names: ReadonlySet<string>
  #before = ''
  #pending = ''

  constructor(map: UrlMap, names: ReadonlySet<string>) {
    this.#map = map
    this.#names = names
  }

  push(chunk: string): string {
    const text = this.#pending + chunk
    const before = this.#before
    const end = decidedEnd(text, before, this.#map.downstream, this.#names)
    const edits = linksIn(text, before, end, this.#map, this.#names)
    this.#before = end >= KEPT ? text.slice(end - KEPT, end) : (before + text.slice(0, end)).slice(-KEPT)
    this.#pending = text.slice(end)
    return splice(text, end, edits)
  }

  last(chunk: string): string {
    const text = this.#pending + chunk
    return splice(text, text.length, linksIn(text, this.#before, text.length, this.#map, this.#names))
  }

  end(): string {
    return this.last('')
  }

  skip(bytes: Buffer): boolean {
    const { target, downstream } = this.#map
    const end = KEPT + decidingCharacters(downstream)
    if (this.#pending !== '' || bytes.length < end || mayHoldUrl(bytes, target.hostInitials)) return false
    const tail = textOf(bytes, bytes.length - end)
    if (decidedEnd(tail, '', downstream, this.#names) < tail.length) return false
    this.#before = tail.slice(-KEPT)
    return true
  }
}

const AT = 0x40

const LINKS: ReadonlySet<string> = new Set([...LINK_ANNOTATIONS].map((name) => `@${name}`))
const LOCATION = '"location'
const BACKGROUND_LINKS: ReadonlySet<string> = new Set([...LINKS, LOCATION])
const TARGET = '"target'

const LONGEST_NAME = MAX_LINK_ANNOTATION_LENGTH + 1
const LOOK_BACK = 256
const KEPT = LOOK_BACK + LONGEST_NAME + 8 + MAX_NAME_DISTANCE

/** What follows the colon of a scheme; the second is written by PHP and some .NET serializers. */
const SLASHES = ['//', '\\/\\/'] as const

function linksIn(
  text: string,
  before: string,
  end: number,
  { target, downstream }: UrlMap,
  names: ReadonlySet<string>,
): readonly Edit[] {
  const edits: Edit[] = []
  for (const slashes of SLASHES) {
    const sorted = edits.length
    for (let at = text.indexOf(slashes); at !== -1 && at < end; at = text.indexOf(slashes, at + 2)) {
      if (text.charCodeAt(at - 1) !== COLON || !target.hostInitials.includes(text.charAt(at + slashes.length))) continue
      // `"https:` or `"http:`
      const quote = text.charCodeAt(at - 7) === QUOTE ? at - 7 : at - 6
      if (text.charCodeAt(quote) !== QUOTE || !isLink(text, before, quote, names)) continue
      const found = rewriteJsonUrl(downstream, untilQuote(text, quote + 1, decidingCharacters(downstream)))
      if (found !== undefined) edits.push({ from: quote + 1, to: quote + 1 + found.length, put: found.replacement })
    }
    if (sorted > 0 && edits.length > sorted) edits.sort((one, other) => one.from - other.from)
  }
  return edits
}

/** Searches rare single characters first: one byte is found many times faster than several. */
function mayHoldUrl(bytes: Buffer, hostInitials: string): boolean {
  for (const initial of hostInitials) {
    if (bytes.includes(initial.charCodeAt(0)) && bytes.includes(`//${initial}`, 0, 'latin1')) return true
  }
  return bytes.includes(BACKSLASH) && bytes.includes('\\/\\/', 0, 'latin1')
}

/** The start of the last link, if its URL continues in the next chunk; otherwise the end. */
function decidedEnd(text: string, before: string, rule: UrlRule, names: ReadonlySet<string>): number {
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
