import { cachedByText } from '../odata/cached-by-text.ts'
import { headerLetters } from '../odata/header-letters.ts'
import { internalized } from '../odata/internalized.ts'

/** A header's name. */
export interface HeaderName {
  /** In lower case. */
  readonly name: string
  /** Its letters and digits, see {@link headerLetters}. */
  readonly letters: string
  /** Whether its mere presence may matter. */
  readonly isNoteworthy: boolean
  /** Whether it has the letters of a header that names the user. */
  readonly namesUser: boolean
  /** The same, but in another spelling. */
  readonly isUserVariant: boolean
}

/**
 * Creates the function that reads the raw name of a header.
 *
 * @param userHeaders names of the headers that name the user, in lower case
 */
export function headerNames(userHeaders: readonly string[]): (spelt: string) => HeaderName {
  const userLetters = new Set(userHeaders.map(headerLetters))
  return cachedByText((spelt) => {
    const name = internalized(spelt.toLowerCase())
    const letters = headerLetters(spelt)
    const namesUser = userLetters.has(letters)
    return {
      name,
      letters,
      isNoteworthy: NOTEWORTHY.test(letters),
      namesUser,
      isUserVariant: namesUser && !userHeaders.includes(name),
    }
  })
}

const NOTEWORTHY = /caller|bypass|method|suppresscallback/
