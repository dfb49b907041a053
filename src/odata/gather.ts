import { Buffer } from 'node:buffer'

/** What is to be given on, in order. */
export interface Gathered {
  /** Adds a text, its characters being bytes. */
  write(text: string): void
  add(pieces: readonly Buffer[]): void
  /** What was added since the last call: one Buffer when it is small, for one write costs less than several. */
  taken(): readonly Buffer[]
}

/** Gathers texts and bytes into few pieces. */
export function gather(): Gathered {
  let pieces: Buffer[] = []
  let text = ''

  function flush(): void {
    if (text !== '') pieces.push(Buffer.from(text, 'latin1'))
    text = ''
  }

  return {
    write(more) {
      text += more
    },
    add(more) {
      for (const piece of more) {
        flush()
        pieces.push(piece)
      }
    },
    taken() {
      flush()
      const all = pieces
      pieces = []
      const size = all.reduce((sum, { length }) => sum + length, 0)
      return all.length > 1 && size <= SMALL ? [Buffer.concat(all, size)] : all
    },
  }
}

const SMALL = 64 * 1024
