/** Text that is gathered from pieces. */
export interface GatheredText {
  readonly length: number
  add(piece: string): void
  /** All of it, in one piece; nothing is left. */
  take(): string
}

/** So many pieces are joined to one: a text of many small ones takes far more memory than its characters. */
const MOST = 1024

/** Gathers text at a cost that does not depend on how small the pieces are. */
export function gatheredText(): GatheredText {
  let small: string[] = []
  let joined: string[] = []
  let length = 0
  return {
    get length() {
      return length
    },
    add(piece) {
      length += piece.length
      if (small.push(piece) < MOST) return
      joined.push(small.join(''))
      small = []
    },
    take() {
      const text = joined.length === 0 && small.length === 1 ? small[0]! : [...joined, ...small].join('')
      small = []
      joined = []
      length = 0
      return text
    },
  }
}
