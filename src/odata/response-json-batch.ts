import { downstreamLink, type OnForeign } from './header-links.ts'
import {
  BACKSLASH,
  CLOSING_BRACE,
  CLOSING_BRACKET,
  COLON,
  COMMA,
  OPENING_BRACE,
  OPENING_BRACKET,
  QUOTE,
  isDigit,
} from './json-characters.ts'
import { rewriteJsonUrl, untilQuote } from './json-string.ts'
import { isLinkHeader, MAX_LINK_HEADER_LENGTH } from './link-names.ts'
import { type Edit, splice } from './splice.ts'
import type { TextTransform } from './text-transform.ts'
import type { UrlMap } from './url-map.ts'

/**
 * Rewrites the links in the `headers` of the `responses` of a JSON batch, such as `location`, as it streams.
 * They are links only there: the same names may be columns elsewhere. The text of a link to another host is
 * removed.
 */
export function responseJsonBatch(map: UrlMap, foreign: OnForeign, onPart: (status: number) => void): TextTransform {
  /** The name of the member, or an empty string in an array, on each relevant level. */
  const path: string[] = []
  let depth = 0
  let name = ''
  let afterName = false
  let state: 'structure' | 'string' | 'escape' | 'url' = 'structure'
  let keptBack = false
  /** The digits of a part's status received so far. */
  let status: string | undefined
  /** The start of a link that continues in the next chunk. */
  let rest = ''

  function turn(chunk: string, isLast: boolean): string {
    const text = rest + chunk
    rest = ''
    const edits: Edit[] = []
    for (let at = 0; at < text.length;) {
      switch (state) {
        case 'url': {
          const url = untilQuote(text, at, MAX_URL_LENGTH)
          if (!isLast && url.length === text.length - at && url.length < MAX_URL_LENGTH) {
            rest = text.slice(at)
            return splice(text, at, edits)
          }
          const found = rewriteJsonUrl(map.downstream, url)
          if (found === undefined) keptBack = leadsElsewhere(url)
          else edits.push({ from: at, to: at + found.length, put: found.replacement })
          state = 'string'
          break
        }
        case 'string': {
          const from = at
          at = string(text, from)
          if (keptBack) edits.push({ from, to: at - (isOver() ? 1 : 0), put: '' })
          keptBack &&= !isOver()
          break
        }
        case 'escape':
          state = 'string'
          if (keptBack) edits.push({ from: at, to: at + 1, put: '' })
          else name += text[at]!
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

  /** Whether the string has ended. */
  function isOver(): boolean {
    return state === 'structure'
  }

  /** Whether a URL has another host. One that is too long or cannot be decoded counts as foreign. */
  function leadsElsewhere(raw: string): boolean {
    const url = raw.length < MAX_URL_LENGTH ? decoded(raw) : undefined
    if (url === undefined) foreign('?')
    return url === undefined || downstreamLink(map, url, foreign) === undefined
  }

  /** Skips to the end of a string, or to an escaped quote in it. */
  function string(text: string, at: number): number {
    const quote = text.indexOf('"', at)
    const end = quote === -1 ? text.length : quote
    if (depth <= LINK_DEPTH && name.length < MAX_NAME_LENGTH)
      name += text.slice(at, Math.min(end, at + MAX_NAME_LENGTH))
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
    if (status !== undefined) readStatus(code)
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
        if (depth <= LINK_DEPTH) path[depth - 1] = (name.includes('\\') ? (decoded(name) ?? '') : name).toLowerCase()
        afterName = true
        if (depth === STATUS_DEPTH && path[0] === 'responses' && path[2] === 'status') status = ''
        break
      case COMMA:
        afterName = false
        break
    }
  }

  function readStatus(code: number): void {
    if (isDigit(code) && status!.length < 3) {
      status += String.fromCharCode(code)
    } else if (code === COMMA || code === CLOSING_BRACE) {
      if (status!.length === 3) onPart(Number(status))
      status = undefined
    }
  }

  return {
    push: (chunk) => turn(chunk, false),
    end: () => turn('', true),
  }
}

/** In `{"responses":[{"headers":{"location":` */
const LINK_DEPTH = 4
/** In `{"responses":[{"status":` */
const STATUS_DEPTH = 3
/** Length of the longest name, with each letter written as a six-character escape. */
const MAX_NAME_LENGTH = 6 * MAX_LINK_HEADER_LENGTH
/** Longest URL, in characters. Signed links to files have some hundred. */
const MAX_URL_LENGTH = 4096

function isLink([responses, , headers, name]: readonly string[]): boolean {
  return responses === 'responses' && headers === 'headers' && isLinkHeader(name!)
}

/** The value of a JSON string; `undefined` when it is incomplete. */
function decoded(raw: string): string | undefined {
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    return undefined
  }
}
