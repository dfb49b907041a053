import { badQuery } from './errors.ts'
import { guidPattern } from './guid.ts'

/** One token of a filter, and its position in characters. */
export interface Token {
  readonly kind: 'string' | 'guid' | 'date' | 'number' | 'name' | 'punctuation' | 'end'
  readonly text: string
  readonly at: number
}

const patterns: readonly (readonly [Token['kind'], RegExp])[] = [
  ['string', /'(?:[^']|'')*'/y],
  ['guid', new RegExp(guidPattern.source.slice(1, -1), 'iy')],
  ['date', /\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?/y],
  ['number', /-?\d+(?:\.\d+)?/y],
  ['name', /@?[A-Za-z_][\w.]*/y],
  ['punctuation', /[(),/:=[\]]/y],
]

/** The tokens of a filter; 400 for text that is not a token. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < text.length;) {
    if (text[at] === ' ') {
      at += 1
      continue
    }
    const token = tokenAt(text, at)
    tokens.push(token)
    at += token.text.length
  }
  return tokens
}

function tokenAt(text: string, at: number): Token {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    if (found !== undefined) return { kind, text: found, at }
  }
  if (text[at] === "'") throw badQuery(`There is an unterminated literal at position ${text.length} in '${text}'.`)
  throw badQuery(`Syntax error at position ${at} in '${text}'.`)
}
