import { isGuid } from '../../odata/guid.ts'

/** Replaces a value. */
export const BLANK = '…'

/** Longest request target that is shown. */
const MAX_CHARACTERS = 2048

/**
 * A request target without the caller's values: only the names of the query, and only ids and numbers of keys and
 * parameters in the path, because other literals contain names and addresses.
 */
export function blanked(target: string): string {
  const queryStart = target.indexOf('?')
  const path = queryStart === -1 ? target : target.slice(0, queryStart)
  const query = queryStart === -1 ? '' : target.slice(queryStart + 1)
  const text = blankedPath(path) + (queryStart === -1 ? '' : `?${query.split('&').map(blankedOption).join('&')}`)
  return text.length > MAX_CHARACTERS ? text.slice(0, MAX_CHARACTERS) + BLANK : text
}

/** Whether `blanked` would change nothing. */
export function isPlain(target: string): boolean {
  return target === blanked(target)
}

/** Blanks everything in parentheses except ids, numbers and the names of keys. */
function blankedPath(path: string): string {
  let text = ''
  let depth = 0
  let isQuoted = false
  for (const piece of path.split(/(\(|\)|%28|%29)/i)) {
    const quotes = piece.split(QUOTE).length - 1
    if (isQuoted) {
      // Whatever it looks like, it is part of the value that started before.
      isQuoted = quotes % 2 === 0
      continue
    }
    isQuoted = quotes % 2 === 1
    if (/^(?:\(|%28)$/i.test(piece)) depth += 1
    else if (/^(?:\)|%29)$/i.test(piece)) depth -= 1
    else if (depth > 0) {
      text += quotes > 0 ? blankedKey(piece) : piece.split(',').map(blankedKey).join(',')
      continue
    } else if (quotes > 0) {
      // Outside parentheses a quote has no known meaning.
      return text + piece.replace(/(?:'|%27).*$/is, BLANK)
    }
    text += PARENTHESIS.test(piece) ? piece : piece.split('/').map(blankedSegment).join('/')
  }
  return text
}

const PARENTHESIS = /^(?:\(|\)|%28|%29)$/i

/** A segment that no entity set, property or operation can be called may be an address or a token in the wrong place. */
function blankedSegment(segment: string): string {
  return /^(?:\$|%24)?[\w.-]{0,100}$/i.test(segment) ? segment : BLANK
}

const QUOTE = /'|%27/

const NUMBER = /^(?:-?\d{1,19})?$/

function blankedKey(key: string): string {
  const equals = key.indexOf('=')
  const name = equals === -1 ? '' : key.slice(0, equals + 1)
  const value = equals === -1 ? key : key.slice(equals + 1)
  const isName = /^[\w@]*=?$/.test(name)
  return (isName ? name : '') + (isName && (isGuid(value) || NUMBER.test(value)) ? value : BLANK)
}

function blankedOption(option: string): string {
  const equals = option.indexOf('=')
  const name = equals === -1 ? option : option.slice(0, equals)
  // An invalid name may be a value whose start was lost.
  const shown = /^(?:\$|%24|@|%40)?[\w.-]{0,64}$/i.test(name) ? name : BLANK
  // Without a value only OData's own options mean anything: others may be the rest of a value that holds an &.
  if (equals === -1) return /^(?:\$|%24|$)/.test(shown) ? shown : BLANK
  return `${shown}=${option.length === equals + 1 ? '' : BLANK}`
}
