import { linkOutward, type OnForeign } from './header-links.ts'
import { rewriteJsonUrl } from './json-string.ts'
import { isLinkHeader, LONGEST_LINK_HEADER } from './link-names.ts'
import { type Edit, splice } from './splice.ts'
import type { TextTransform } from './text-transform.ts'
import type { UrlMap } from './url-map.ts'

/**
 * Turns the links in the `headers` of each of the `responses` of a JSON batch, such as `location`, as it streams.
 * Only there are they links: the same names may be columns elsewhere. Of one that leads to another host, the text stays
 * here.
 */
export function responseJsonBatch(map: UrlMap, foreign: OnForeign, onPart: (status: number) => void): TextTransform {
  /** The name of the member, or the empty text in an array, on each level that counts. */
  const path: string[] = []
  let depth = 0
  let name = ''
  let afterName = false
  let state: 'structure' | 'string' | 'escape' | 'url' = 'structure'
  let keptBack = false
  /** The digits of a part's status, as they come. */
  let status: string | undefined
  let held = ''

  function turn(text: string, whole: boolean): string {
    const edits: Edit[] = []
    for (let at = 0; at < text.length;) {
      switch (state) {
        case 'url': {
          const url = startOfString(text, at)
          if (!whole && url.length === text.length - at && url.length < LONGEST_URL) {
            held = text.slice(at)
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

  /** Judges a URL of another origin. One that is too long to be judged, or cannot be read, is not the target's. */
  function leadsElsewhere(raw: string): boolean {
    const url = raw.length < LONGEST_URL ? decoded(raw) : undefined
    if (url === undefined) foreign('?')
    return url === undefined || linkOutward(map, url, foreign) === undefined
  }

  /** Goes on to the end of a string, or to an escaped quote in it. */
  function string(text: string, at: number): number {
    const quote = text.indexOf('"', at)
    const end = quote === -1 ? text.length : quote
    if (depth <= LINK_DEPTH && name.length < LONGEST_NAME) name += text.slice(at, Math.min(end, at + LONGEST_NAME))
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
    if (code >= DIGIT_0 && code <= DIGIT_9 && status!.length < 3) {
      status += String.fromCharCode(code)
    } else if (code === COMMA || code === CLOSING_BRACE) {
      if (status!.length === 3) onPart(Number(status))
      status = undefined
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
/** In `{"responses":[{"status":` */
const STATUS_DEPTH = 3
/** Each letter of a name may be written as an escape of six. */
const LONGEST_NAME = 6 * LONGEST_LINK_HEADER
/** Dynamics signs links to files with some hundred characters. */
const LONGEST_URL = 4096

function isLink([responses, , headers, name]: readonly string[]): boolean {
  return responses === 'responses' && headers === 'headers' && isLinkHeader(name!)
}

/** No URL holds a quote, so an escaped one need not be told from the end. */
function startOfString(text: string, at: number): string {
  const start = text.slice(at, at + LONGEST_URL)
  const quote = start.indexOf('"')
  return quote === -1 ? start : start.slice(0, quote)
}

/** What the text of a JSON string stands for; `undefined` when it is not whole. */
function decoded(raw: string): string | undefined {
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    return undefined
  }
}

const QUOTE = 0x22
const COMMA = 0x2c
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
const COLON = 0x3a
const OPENING_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSING_BRACKET = 0x5d
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d
