import type { TextTransform } from './text-transform.ts'
import { decidingCharacters, possibleJsonUrl, rewriteJsonUrl } from './json-string.ts'
import { LINK_HEADERS } from './link-names.ts'
import { type Edit, splice } from './splice.ts'
import type { UrlMap } from './url-map.ts'

/**
 * Turns the links in the `headers` of each of the `responses` of a JSON batch, such as `location`, as it streams.
 * Only there are they links: the same names may be columns elsewhere.
 */
export function jsonBatchOutward(map: UrlMap): TextTransform {
  const rule = map.outward
  const deciding = decidingCharacters(rule)
  /** The name of the member, or the empty text in an array, on each level that counts. */
  const path: string[] = []
  let depth = 0
  let name = ''
  let afterName = false
  let state: 'structure' | 'string' | 'escape' | 'url' = 'structure'
  let held = ''

  function turn(text: string, whole: boolean): string {
    const edits: Edit[] = []
    for (let at = 0; at < text.length;) {
      switch (state) {
        case 'url': {
          const url = startOfString(text, at, deciding)
          if (!whole && url.length === text.length - at && url.length < deciding && possibleJsonUrl(rule, url)) {
            held = text.slice(at)
            return splice(text, at, edits)
          }
          const found = rewriteJsonUrl(rule, url)
          if (found !== undefined) edits.push({ from: at, to: at + found.taken, put: found.put })
          state = 'string'
          break
        }
        case 'string':
          at = string(text, at)
          break
        case 'escape':
          state = 'string'
          at++
          break
        case 'structure':
          structure(text.charCodeAt(at))
          at++
          break
      }
    }
    return splice(text, text.length, edits)
  }

  /** Goes on to the end of a string, or to an escaped quote in it. */
  function string(text: string, at: number): number {
    const quote = text.indexOf('"', at)
    const end = quote === -1 ? text.length : quote
    if (name.length < LONGEST_NAME) name += text.slice(at, Math.min(end, at + LONGEST_NAME))
    let escapes = end
    while (escapes > at && text.charCodeAt(escapes - 1) === BACKSLASH) escapes--
    const isEscaped = (end - escapes) % 2 === 1
    if (quote === -1) {
      if (isEscaped) state = 'escape'
      return end
    }
    if (!isEscaped) state = 'structure'
    return quote + 1
  }

  function structure(code: number): void {
    switch (code) {
      case QUOTE:
        state = afterName && depth === LINK_DEPTH && isLink(path) ? 'url' : 'string'
        name = ''
        break
      case OPENING_BRACE:
      case OPENING_BRACKET:
        depth++
        if (depth <= LINK_DEPTH) path[depth - 1] = ''
        afterName = false
        break
      case CLOSING_BRACE:
      case CLOSING_BRACKET:
        depth--
        break
      case COLON:
        if (depth <= LINK_DEPTH) path[depth - 1] = name.toLowerCase()
        afterName = true
        break
      case COMMA:
        afterName = false
        break
    }
  }

  function take(chunk: string): string {
    const text = held + chunk
    held = ''
    return text
  }

  return {
    push: (chunk) => turn(take(chunk), false),
    end: () => turn(take(''), true),
  }
}

/** In `{"responses":[{"headers":{"location":` */
const LINK_DEPTH = 4
const LONGEST_NAME = Math.max(...[...LINK_HEADERS].map((name) => name.length)) + 1

function isLink([responses, , headers, name]: readonly string[]): boolean {
  return responses === 'responses' && headers === 'headers' && LINK_HEADERS.has(name!)
}

function startOfString(text: string, at: number, length: number): string {
  const start = text.slice(at, at + length)
  const quote = start.indexOf('"')
  return quote === -1 ? start : start.slice(0, quote)
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPENING_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSING_BRACKET = 0x5d
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d
