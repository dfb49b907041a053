import { BACKSLASH, CLOSING_BRACE, COLON, COMMA, OPENING_BRACE, OPENING_BRACKET, QUOTE } from './json-characters.ts'
import { beforeSpace, codeAt, stretch } from './look-back.ts'

/** How far before a `target` the name of its operation may start, in characters. */
export const MAX_NAME_DISTANCE = 1024

/** How many members are skipped backwards, so that the cost of each stays close to its own length. */
const MAX_MEMBERS = 16

/**
 * Whether the member whose name starts at `at` belongs to an action or function that the response advertises, as in
 * `"#Microsoft.NAV.post":{"title":"…","target":"…"}`, or as one of several overloads in an array.
 *
 * Reads backwards, member by member: an object whose name contains `#` is an advertisement, because no column has one.
 *
 * @see https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html#sec_BoundAction
 */
export function isAdvertised(text: string, before: string, at: number): boolean {
  const floor = at - MAX_NAME_DISTANCE
  let member: number | undefined = at
  for (let left = MAX_MEMBERS; member !== undefined && left > 0; left--) {
    const previous = back(member)
    switch (codeAt(text, before, previous)) {
      case COMMA:
        member = memberEndingAt(back(previous))
        break
      case OPENING_BRACE: {
        const outer = back(previous)
        if (codeAt(text, before, outer) !== COMMA) return isOperation(outer)
        // The previous overload.
        const last = back(outer)
        member = codeAt(text, before, last) === CLOSING_BRACE ? memberEndingAt(back(last)) : undefined
        break
      }
      default:
        return false
    }
  }
  return false

  function back(from: number): number {
    return beforeSpace(text, before, from - 1, floor)
  }

  /** Whether the name of an operation ends at `end`, with its colon and perhaps an opening bracket. */
  function isOperation(end: number): boolean {
    const colon = codeAt(text, before, end) === OPENING_BRACKET ? back(end) : end
    if (codeAt(text, before, colon) !== COLON) return false
    const closing = back(colon)
    const opening = openingQuote(closing)
    return opening !== undefined && OPERATION.test(stretch(text, before, opening + 1, closing))
  }

  /** The start of the name of the member whose value ends at `end`: a string, a number, `true`, `false` or `null`. */
  function memberEndingAt(end: number): number | undefined {
    let start = openingQuote(end)
    if (start === undefined) {
      start = end + 1
      while (start > floor && isScalar(codeAt(text, before, start - 1))) start--
    }
    const colon = back(start)
    return codeAt(text, before, colon) === COLON ? openingQuote(back(colon)) : undefined
  }

  /** The opening quote of the string that ends with the quote at `closing`. */
  function openingQuote(closing: number): number | undefined {
    if (codeAt(text, before, closing) !== QUOTE) return undefined
    for (let from = closing - 1; from >= floor; from--) {
      if (codeAt(text, before, from) !== QUOTE) continue
      let escapes = from
      while (codeAt(text, before, escapes - 1) === BACKSLASH && escapes > floor) escapes--
      if ((from - escapes) % 2 === 0) return from
    }
    return undefined
  }
}

/** The name of a property, perhaps; then the qualified name, with the parameters of an overload. */
const OPERATION = /^[^#"\\]*#[\w.]+(?:\([^"\\]*\))?$/

function isScalar(code: number | undefined): boolean {
  return code !== undefined && /[\w.+-]/.test(String.fromCharCode(code))
}
