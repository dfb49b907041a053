import { headerLetters } from '../odata/header-letters.ts'

/** Names of headers in lower case, by their letters alone. */
export type NamesByLetters = ReadonlyMap<string, ReadonlySet<string>>

/** Gathers names by what is left of them where only letters count, so that another spelling of one is noticed. */
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
  /** Whether its very presence may matter. */
  readonly isNoteworthy: boolean
}

/** Names that were met so far, as they were spelt. Bounded, because callers choose them. */
const knownNames = new Map<string, HeaderName>()
const REMEMBERED = 1000

/** Reads the name of a header, as it was spelt. */
export function headerName(spelt: string): HeaderName {
  return knownNames.get(spelt) ?? readName(spelt)
}

function readName(spelt: string): HeaderName {
  const letters = headerLetters(spelt)
  const read = { name: spelt.toLowerCase(), letters, isNoteworthy: NOTEWORTHY.test(letters) }
  if (knownNames.size < REMEMBERED) knownNames.set(spelt, read)
  return read
}

const NOTEWORTHY = /caller|bypass|method|suppresscallback/
