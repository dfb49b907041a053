import { headerLetters } from '../odata/header-letters.ts'

/** Names of headers in lower case, by their letters. */
export type NamesByLetters = ReadonlyMap<string, ReadonlySet<string>>

/** Maps names by their letters, so that other spellings are found. */
export function namesByLetters(names: readonly string[]): NamesByLetters {
  const found = new Map<string, Set<string>>()
  for (const name of names) {
    const letters = headerLetters(name)
    found.set(letters, (found.get(letters) ?? new Set()).add(name))
  }
  return found
}

/** A header's name. */
export interface HeaderName {
  /** In lower case. */
  readonly name: string
  readonly letters: string
  /** Whether its mere presence may matter. */
  readonly isNoteworthy: boolean
}

/** Cached names by spelling. Limited, because callers choose them. */
const knownNames = new Map<string, HeaderName>()
const MAX_CACHED_NAMES = 1000

/** Reads the raw name of a header. */
export function headerName(spelt: string): HeaderName {
  return knownNames.get(spelt) ?? readName(spelt)
}

function readName(spelt: string): HeaderName {
  const letters = headerLetters(spelt)
  const read = { name: spelt.toLowerCase(), letters, isNoteworthy: NOTEWORTHY.test(letters) }
  if (knownNames.size < MAX_CACHED_NAMES) knownNames.set(spelt, read)
  return read
}

const NOTEWORTHY = /caller|bypass|method|suppresscallback/
