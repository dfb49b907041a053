import { cachedByText } from '../odata/cached-by-text.ts'
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

/** Reads the raw name of a header. */
export const headerName = cachedByText((spelt: string): HeaderName => {
  const letters = headerLetters(spelt)
  return { name: spelt.toLowerCase(), letters, isNoteworthy: NOTEWORTHY.test(letters) }
})

const NOTEWORTHY = /caller|bypass|method|suppresscallback/
