import { type Edit, splice } from './splice.ts'

/** A text that stands percent-encoded in a URL, in whole, in part or not at all. */
export interface EncodedText {
  readonly raw: string
  /** Decoded, character by character, so that a broken code further on does not matter; ASCII only. */
  readonly text: string
  /** Where in `raw` the character `at` of `text` begins; the end of `raw` for the end of `text`. */
  readonly placeOf: (at: number) => number
}

/** Reads `raw`. */
export function encodedText(raw: string): EncodedText {
  if (!raw.includes('%')) return { raw, text: raw, placeOf: (at) => at }
  // Each code takes two characters more than it stands for.
  const codes: number[] = []
  const text = raw.replace(CODE, (code, digits: string, place: number) => {
    codes.push(place - 2 * codes.length)
    return String.fromCharCode(Number.parseInt(digits, 16))
  })
  return { raw, text, placeOf: (at) => at + 2 * countBelow(codes, at) }
}

/** `raw` with `edits` of its `text` made; what stood percent-encoded is put percent-encoded. */
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
