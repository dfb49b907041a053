/** The exact text of a number, for decimals with trailing zeros and integers beyond 2^53. */
export class RawNumber {
  readonly digits: string

  constructor(digits: string) {
    this.digits = digits
  }
}

/** Any value of a JSON document, with integers beyond 2^53 as `bigint`. */
export type Json = null | boolean | number | bigint | string | RawNumber | readonly Json[] | JsonObject

/** A JSON object. */
export type JsonObject = { readonly [name: string]: Json }

/** Whether `value` is a JSON object: not an array, not a number, not null. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof RawNumber)
}

/** The JSON text of `value`; big integers as digits, unlike `JSON.stringify`, which refuses them. */
export function writeJson(value: Json): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value !== 'object' || value === null) return String(value)
  if (value instanceof RawNumber) return value.digits
  if (Array.isArray(value)) return `[${(value as Json[]).map(writeJson).join(',')}]`
  let text = '{'
  for (const [name, member] of Object.entries(value as JsonObject)) {
    text += (text.length > 1 ? ',' : '') + JSON.stringify(name) + ':' + writeJson(member)
  }
  return text + '}'
}

const space = /[ \t\n\r]*/y
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
// Only finds the end; JSON.parse validates the text between.
const string = /"[^"\\]*(?:\\.[^"\\]*)*"/sy
const word = /true|false|null/y

/** Reads JSON without losing the digits of big integers. Throws a SyntaxError with the position. */
export function readJson(text: string): Json {
  let at = 0

  const value = document()
  if (at < text.length) throw fault()
  return value

  function document(): Json {
    take(space)
    const found = member()
    take(space)
    return found
  }

  function member(): Json {
    const first = text[at]
    if (first === '{') return object()
    if (first === '[') return array()
    if (first === '"') return JSON.parse(need(string)) as string
    if (first === 't' || first === 'f' || first === 'n') return JSON.parse(need(word)) as boolean | null
    const digits = need(number)
    const asNumber = Number(digits)
    return /^-?\d+$/.test(digits) && !Number.isSafeInteger(asNumber) ? BigInt(digits) : asNumber
  }

  function object(): JsonObject {
    const found: Record<string, Json> = {}
    at += 1
    take(space)
    if (text[at] === '}') return closed(found)
    for (;;) {
      take(space)
      const name = JSON.parse(need(string)) as string
      take(space)
      if (text[at++] !== ':') throw fault()
      // A plain assignment of `__proto__` would set the prototype.
      Object.defineProperty(found, name, { value: document(), enumerable: true, configurable: true, writable: true })
      if (text[at] === '}') return closed(found)
      if (text[at++] !== ',') throw fault()
    }
  }

  function array(): Json[] {
    const found: Json[] = []
    at += 1
    take(space)
    if (text[at] === ']') return closed(found)
    for (;;) {
      found.push(document())
      if (text[at] === ']') return closed(found)
      if (text[at++] !== ',') throw fault()
    }
  }

  function closed<T>(found: T): T {
    at += 1
    return found
  }

  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    at += found?.length ?? 0
    return found
  }

  function need(pattern: RegExp): string {
    const found = take(pattern)
    if (found === undefined) throw fault()
    return found
  }

  function fault(): SyntaxError {
    return new SyntaxError(`Unexpected ${at < text.length ? 'character' : 'end'} at position ${at}`)
  }
}
