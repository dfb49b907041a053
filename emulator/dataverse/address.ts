import { badQuery, DataverseError } from './errors.ts'
import { isGuid } from './guid.ts'

/** One segment of a resource path: `accounts`, `accounts(<guid>)`, `accounts(name='a',address1_city='b')`. */
export interface Segment {
  readonly name: string
  /** The text in parentheses, parsed; `undefined` without parentheses. */
  readonly keys: Keys | undefined
}

/** A key: a GUID, or named values of an alternate key or of a function's parameters. */
export type Keys = { readonly id: string } | { readonly named: ReadonlyMap<string, Literal> }

/** A literal of a URL. */
export type Literal = string | number | boolean | null | { readonly raw: string }

/** The API root, which comes before every resource path. */
export const apiRoot = /^\/api\/data\/v9\.[0-2](?=[/?]|$)/

/** Path and query of a request target, split at the first question mark. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const queryStart = target.indexOf('?')
  return queryStart < 0
    ? { path: target, query: '' }
    : { path: target.slice(0, queryStart), query: target.slice(queryStart + 1) }
}

/** The segments of a raw resource path; parameter aliases (`@p`) are looked up in the query. */
export function segmentsOf(path: string, query: ReadonlyMap<string, string>): Segment[] {
  return path
    .split('/')
    .filter((raw) => raw !== '')
    .map((raw) => segmentOf(raw, query))
}

function segmentOf(raw: string, query: ReadonlyMap<string, string>): Segment {
  if (raw.length > 260) throw new DataverseError(400, '', 'Bad Request - Invalid URL')
  const text = decoded(raw, false)
  const open = text.indexOf('(')
  if (open < 0) return { name: text, keys: undefined }
  if (!text.endsWith(')')) throw badQuery(`Bad Request - Error in query syntax: '${text}'.`)
  return { name: text.slice(0, open), keys: keysOf(text.slice(open + 1, -1), query) }
}

function keysOf(text: string, query: ReadonlyMap<string, string>): Keys {
  if (isGuid(text)) return { id: text.toLowerCase() }
  const named = new Map<string, Literal>()
  for (const pair of splitOutside(text, ',').filter((part) => part.trim() !== '')) {
    const [, name, value] = /^\s*(\w+)\s*=(.*)$/s.exec(pair) ?? []
    if (name === undefined || value === undefined) throw badQuery(`Bad Request - Error in query syntax: '(${text})'.`)
    const alias = value.trim()
    named.set(name, literal(alias.startsWith('@') ? (query.get(alias) ?? 'null') : alias))
  }
  return { named }
}

/** The options of a raw query, decoded; `+` is a space. */
export function queryOptions(query: string): Map<string, string> {
  const options = new Map<string, string>()
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals), true)
    if (name.startsWith('$') && options.has(name)) {
      throw badQuery(`Query option '${name}' was specified more than once, but it must be specified at most once.`)
    }
    options.set(name, decoded(equals < 0 ? '' : pair.slice(equals + 1), true))
  }
  return options
}

/** The value of a literal in a URL. */
export function literal(text: string): Literal {
  if (text === 'null') return null
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (/^'(?:[^']|'')*'$/s.test(text)) return text.slice(1, -1).replaceAll("''", "'")
  if (text.startsWith("'")) throw badQuery(`There is an unterminated literal at position ${text.length} in '${text}'.`)
  return isGuid(text) ? text.toLowerCase() : { raw: text }
}

/** Splits at `separator`, except within quotes, parentheses and brackets. */
export function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = []
  let [depth, quoted, start] = [0, false, 0]
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (character === "'") quoted = !quoted
    else if (quoted) continue
    else if (character === '(' || character === '[') depth += 1
    else if (character === ')' || character === ']') depth -= 1
    else if (character === separator && depth === 0) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

function decoded(text: string, plusIsSpace: boolean): string {
  try {
    return decodeURIComponent(plusIsSpace ? text.replaceAll('+', ' ') : text)
  } catch {
    throw new DataverseError(400, '', 'Bad Request - Invalid URL')
  }
}
