import { Buffer } from 'node:buffer'

/** Where a value stands in a JSON text. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A member of an object: its name as JSON means it, where the name begins, and where the value stands. */
export interface Member extends Span {
  readonly name: string
  readonly nameStart: number
}

/**
 * The members of the object that begins at `start` of a valid JSON text; none when it is no object.
 *
 * @param json UTF-8 read as Latin-1, so that places are places of bytes
 */
export function membersAt(json: string, start: number): readonly Member[] {
  const members: Member[] = []
  for (let at = firstIn(json, start, '{'); json[at] === '"';) {
    const nameEnd = valueEnd(json, at)
    const value = afterSpace(json, afterSpace(json, nameEnd) + 1)
    const end = valueEnd(json, value)
    members.push({ name: textOf(json, { start: at, end: nameEnd }), nameStart: at, start: value, end })
    at = afterComma(json, end)
  }
  return members
}

/** The elements of the array that begins at `start` of a valid JSON text; `undefined` when it is no array. */
export function elementsAt(json: string, start: number): readonly Span[] | undefined {
  if (json[start] !== '[') return undefined
  const elements: Span[] = []
  for (let at = firstIn(json, start, '['); json[at] !== ']';) {
    const end = valueEnd(json, at)
    elements.push({ start: at, end })
    at = json[afterSpace(json, end)] === ',' ? afterComma(json, end) : afterSpace(json, end)
  }
  return elements
}

/** What a JSON string in a text in Latin-1 of UTF-8 means; empty when it is no string. */
export function textOf(json: string, { start, end }: Span): string {
  return json[start] === '"' ? (JSON.parse(Buffer.from(json.slice(start, end), 'latin1').toString()) as string) : ''
}

/** A JSON string of ASCII characters that means `text`. */
export function asciiString(text: string): string {
  return JSON.stringify(text).replace(/[^\x20-\x7e]/g, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Where the value of a whole JSON text begins. */
export function afterSpace(json: string, at: number): number {
  let next = at
  while (' \n\r\t'.includes(json[next] ?? '-')) next++
  return next
}

function firstIn(json: string, start: number, opening: string): number {
  return json[start] === opening ? afterSpace(json, start + 1) : start
}

function afterComma(json: string, at: number): number {
  return afterSpace(json, afterSpace(json, at) + 1)
}

function valueEnd(json: string, start: number): number {
  let depth = 0
  let at = start
  do {
    const character = json[at]!
    if (character === '"') at = stringEnd(json, at)
    else if (isScalar(character)) while (isScalar(json[at])) at++
    else {
      if (character === '[' || character === '{') depth++
      else if (character === ']' || character === '}') depth--
      at++
    }
  } while (depth > 0)
  return at
}

function stringEnd(json: string, start: number): number {
  let quote = start
  let escapes: number
  do {
    quote = json.indexOf('"', quote + 1)
    escapes = quote
    while (json[escapes - 1] === '\\') escapes--
  } while ((quote - escapes) % 2 === 1)
  return quote + 1
}

/** Whether a character may stand in a number, `true`, `false` or `null`. */
function isScalar(character: string | undefined): boolean {
  return character !== undefined && /[\w.+-]/.test(character)
}
