import { RefusedPart } from './batch-error.ts'
import { type Field, valueOf } from './header-fields.ts'
import { headerLetters } from './header-letters.ts'
import { isMethodOverride } from './methods.ts'

/** Where the headers of a part go. */
export interface Destination {
  readonly host: string
  /** Names of the headers, in lower case, that name the user on the batch. */
  readonly userHeaders: readonly string[]
  /** Whether a header, by its name in lower case, is the gateway's own. */
  readonly staysHere: (name: string) => boolean
  /** The subject of error sentences: `Part 3 of the batch`. */
  readonly subject: string
}

/**
 * The headers of a part that may be forwarded, in order. The batch's own headers name the user of all parts: dropping
 * a part's user header would run the part as another user.
 *
 * @throws RefusedPart for headers that name the user, override the method, encode the part again, or take one away that
 *   decides what the part does
 */
export function partHeaders(
  fields: readonly Field[],
  { host, userHeaders, staysHere, subject }: Destination,
): readonly Field[] {
  const userLetters = userHeaders.map(headerLetters)
  const nominated = new Set(
    valueOf(fields, 'connection')
      ?.toLowerCase()
      .split(/[\s,]+/),
  )
  return fields.flatMap((field) => {
    const name = field.name.toLowerCase()
    const letters = headerLetters(name)
    if (CALLER_IDS.has(letters)) throw new RefusedPart(`${subject} names the user by a caller id header; leave it out.`)
    if (userLetters.includes(letters)) {
      const what = `names its user by the header ${field.name}`
      throw new RefusedPart(`${subject} ${what}: put it on the batch, for all parts.`)
    }
    if (isMethodOverride(letters)) throw new RefusedPart(`${subject} overrides its method by a header.`)
    if (letters === 'transferencoding') throw new RefusedPart(`${subject} has a Transfer-Encoding.`)
    if (letters === 'contenttransferencoding' && !/^(?:binary|8bit|7bit)$/i.test(field.value)) {
      throw new RefusedPart(`${subject} has a Content-Transfer-Encoding other than binary.`)
    }
    if (name === 'host') return [{ name: field.name, value: host }]
    if (nominated.has(name) && MEANINGFUL.test(name)) {
      throw new RefusedPart(`${subject} names ${field.name} in its header Connection, which would take it away.`)
    }
    // Its length may have changed.
    return name === 'content-length' || nominated.has(name) || staysHere(name) ? [] : [field]
  })
}

/** Headers that change the meaning of a part. */
const MEANINGFUL = /^(?:content-(?!length)|if-|prefer$|odata-)/

const CALLER_IDS: ReadonlySet<string> = new Set(['callerobjectid', 'mscrmcallerid', 'mscrmcallerobjectid'])
