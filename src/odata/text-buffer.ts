/** A text collected from chunks. */
export interface TextBuffer {
  readonly length: number
  add(piece: string): void
  /** Returns the complete text, and empties the buffer. */
  take(): string
}

/** How many chunks are joined into one, because many small ones take far more memory than their characters. */
const MAX_CHUNKS = 1024

/** Collects text at a cost that does not depend on the size of the chunks. */
export function textBuffer(): TextBuffer {
  let small: string[] = []
  let joined: string[] = []
  let length = 0
  return {
    get length() {
      return length
    },
    add(piece) {
      length += piece.length
      if (small.push(piece) < MAX_CHUNKS) return
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
