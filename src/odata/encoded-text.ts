import { type Edit, splice } from './splice.ts'

/** A text in a URL that may be percent-encoded, completely or in part. */
export interface EncodedText {
  readonly raw: string
  /** Decoded character by character, so that a later invalid code does not matter; ASCII only. */
  readonly text: string
  /** The position in `raw` of the character `at` of `text`; the end of `raw` for the end of `text`. */
  readonly placeOf: (at: number) => number
}

/** Reads `raw`. */
export function encodedText(raw: string): EncodedText {
  if (!raw.includes('%')) return { raw, text: raw, placeOf: (at) => at }
  // Each code is two characters longer than its character.
  const codes: number[] = []
  const text = raw.replace(CODE, (code, digits: string, place: number) => {
    codes.push(place - 2 * codes.length)
    return String.fromCharCode(Number.parseInt(digits, 16))
  })
  return { raw, text, placeOf: (at) => at + 2 * countBelow(codes, at) }
}

/** `raw` with `edits` applied to its `text`; percent-encoded text is replaced by percent-encoded text. */
export function withPut({ raw, placeOf }: EncodedText, edits: readonly Edit[]): string {
  return splice(
    raw,
    raw.length,
    edits.map((edit) => {
      const from = placeOf(edit.from)
      const to = placeOf(edit.to)
      return { from, to, put: raw.slice(from, to).includes('%') ? encodeURIComponent(edit.put) : edit.put }
    }),
  )
}

const CODE = /%([2-7][\da-f])/gi

/** How many of `sorted` numbers are below `limit`. */
function countBelow(sorted: readonly number[], limit: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < limit) low = middle + 1
    else high = middle
  }
  return low
}
