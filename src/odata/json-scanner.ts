import { MalformedBatch } from './batch-error.ts'
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
  isJsonSpace,
} from './json-characters.ts'
import { numberPart } from './json-number.ts'
import type { NumberPart } from './json-number.ts'

/** A value of a JSON text, with its name if it is a member. Positions count characters from the start. */
export interface ScannedValue {
  /** How many objects and arrays enclose it. */
  readonly depth: number
  readonly start: number
  readonly end: number
  /** The position of the name's first quote; -1 for an array element and for the top-level value. */
  readonly nameStart: number
  readonly nameEnd: number
}

/** Receives values when they start and end, inner ones first. */
export interface JsonListener {
  /** Deeper values are not reported. */
  readonly maxDepth: number
  /** @param isArray whether the value is an array */
  begins(value: Pick<ScannedValue, 'depth' | 'nameStart' | 'nameEnd'>, isArray: boolean): void
  ends(value: ScannedValue): void
}

/** Reads a JSON text in chunks. */
export interface JsonScanner {
  /** @throws MalformedBatch, and the errors of the listener */
  scan(piece: string): void
  /** @throws MalformedBatch when the text is not complete */
  end(): void
}

/** The deepest nesting, which is also the limit of OData libraries. */
const MAX_DEPTH = 100

/**
 * Validates JSON exactly as `JSON.parse` does, and reports the positions of its outer values. Each character is
 * read once and nothing is built, so the cost does not depend on the content. A byte order mark may come
 * first.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259
 */
export function jsonScanner({ maxDepth: deepest, begins, ends }: JsonListener): JsonScanner {
  /** For each open object or array, whether it is an array, and its position and that of its name. */
  const isArray: boolean[] = []
  const starts: number[] = []
  const nameStarts: number[] = [-1]
  const nameEnds: number[] = [-1]
  let depth = 0
  let state: State = 'value'
  /** Whether the array or object may end here, because it is still empty. */
  let isFirst = false
  let isName = false
  let start = 0
  /** The position of the chunk in the text. */
  let base = 0
  let markLength = 0
  let word = ''
  let matched = 0
  let part: NumberPart = 'sign'
  let hex = 0

  function scan(piece: string): void {
    for (let at = base === 0 || markLength > 0 ? afterByteOrderMark(piece) : 0; at < piece.length;) {
      switch (state) {
        case 'string':
          at = string(piece, at)
          break
        case 'escape':
          escape(piece.charCodeAt(at++))
          break
        case 'hex':
          hexDigit(piece.charCodeAt(at++))
          break
        case 'word':
          if (piece[at++] !== word[matched++]) throw malformed()
          if (matched === word.length) valueEnds(base + at)
          break
        case 'number':
          if (isNumber(piece.charCodeAt(at))) at++
          else valueEnds(base + at)
          break
        default: {
          const code = piece.charCodeAt(at)
          if (!isJsonSpace(code)) structure(code, base + at)
          at++
        }
      }
    }
    base += piece.length
  }

  /** Skips to the end of a string, or to an escape in it. */
  function string(piece: string, at: number): number {
    PLAIN.lastIndex = at
    PLAIN.test(piece)
    const end = PLAIN.lastIndex
    if (end === piece.length) return end
    const code = piece.charCodeAt(end)
    if (code === BACKSLASH) state = 'escape'
    else if (code !== QUOTE) throw malformed()
    else if (!isName) valueEnds(base + end + 1)
    else {
      nameEnds[depth] = base + end + 1
      state = 'colon'
    }
    return end + 1
  }

  function escape(code: number): void {
    if (code === SMALL_U) {
      state = 'hex'
      hex = 0
    } else if (ESCAPED.includes(code)) state = 'string'
    else throw malformed()
  }

  function hexDigit(code: number): void {
    const letter = code | 0x20
    if (!isDigit(code) && !(letter >= 0x61 && letter <= 0x66)) throw malformed()
    if (++hex === 4) state = 'string'
  }

  /** Accepts one more character of a number; `false` when the number ended before. */
  function isNumber(code: number): boolean {
    const next = numberPart(part, code)
    if (next === undefined) throw malformed()
    if (next === 'end') return false
    part = next
    return true
  }

  function structure(code: number, at: number): void {
    switch (state) {
      case 'value':
        if (isFirst && code === CLOSING_BRACKET) return close(at)
        return value(code, at)
      case 'name':
        if (isFirst && code === CLOSING_BRACE) return close(at)
        if (code !== QUOTE) throw malformed()
        nameStarts[depth] = at
        isName = true
        state = 'string'
        return
      case 'colon':
        if (code !== COLON) throw malformed()
        isFirst = false
        state = 'value'
        return
      default:
        if (depth === 0) throw malformed()
        if (code === COMMA) {
          isFirst = false
          state = isArray[depth - 1]! ? 'value' : 'name'
        } else if (code === (isArray[depth - 1]! ? CLOSING_BRACKET : CLOSING_BRACE)) close(at)
        else throw malformed()
    }
  }

  function value(code: number, at: number): void {
    start = at
    if (depth <= deepest) {
      begins({ depth, nameStart: nameStarts[depth]!, nameEnd: nameEnds[depth]! }, code === OPENING_BRACKET)
    }
    switch (code) {
      case QUOTE:
        isName = false
        state = 'string'
        break
      case OPENING_BRACE:
        open(false, at)
        break
      case OPENING_BRACKET:
        open(true, at)
        break
      case 0x74:
        begin('true')
        break
      case 0x66:
        begin('false')
        break
      case 0x6e:
        begin('null')
        break
      default:
        part = 'sign'
        state = 'number'
        // No number ends before its first digit, so this throws for any other character.
        if (code !== MINUS) isNumber(code)
    }
  }

  function begin(expected: string): void {
    word = expected
    matched = 1
    state = 'word'
  }

  function open(array: boolean, at: number): void {
    if (depth === MAX_DEPTH) throw new MalformedBatch(`The batch nests its JSON deeper than ${MAX_DEPTH} levels.`)
    isArray[depth] = array
    starts[depth] = at
    depth++
    nameStarts[depth] = nameEnds[depth] = -1
    isFirst = true
    state = array ? 'value' : 'name'
  }

  function close(at: number): void {
    depth--
    start = starts[depth]!
    valueEnds(at + 1)
  }

  function valueEnds(end: number): void {
    state = 'after'
    if (depth <= deepest) ends({ depth, start, end, nameStart: nameStarts[depth]!, nameEnd: nameEnds[depth]! })
  }

  /** How many characters of `piece` belong to a byte order mark at the start of the text. */
  function afterByteOrderMark(piece: string): number {
    let at = 0
    while (at < piece.length && markLength < BYTE_ORDER_MARK.length && piece[at] === BYTE_ORDER_MARK[markLength]) {
      at++
      markLength++
    }
    if (at < piece.length) {
      if (markLength > 0 && markLength < BYTE_ORDER_MARK.length) throw malformed()
      markLength = 0
    }
    return at
  }

  return {
    scan,
    end() {
      // A number at the top level ends with the text.
      if (state === 'number' && depth === 0 && !isNumber(0)) valueEnds(base)
      if (state !== 'after' || depth > 0) throw malformed()
    },
  }
}

/** What the next character is part of. */
type State = 'value' | 'name' | 'colon' | 'after' | 'string' | 'escape' | 'hex' | 'word' | 'number'

function malformed(): MalformedBatch {
  return new MalformedBatch('The batch is not valid JSON.')
}

/** Characters before a quote, a backslash or a control character. */
const PLAIN = /[ !#-[\]-\uffff]*/y
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf'

/** The characters that may follow a backslash, besides `u`. */
const ESCAPED: readonly number[] = [...'"\\/bfnrt'].map((character) => character.charCodeAt(0))

const MINUS = 0x2d
const SMALL_U = 0x75
