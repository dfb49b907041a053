import { sizeOf } from './stored-answer.ts'
import type { StoredAnswer } from './stored-answer.ts'

/** Responses in memory, of all targets. */
export interface AnswerMemory {
  readonly get: (key: string) => StoredAnswer | undefined
  readonly set: (key: string, answer: StoredAnswer) => void
  readonly delete: (key: string) => void
  /** The largest body that is kept, in bytes. */
  readonly maxBodyBytes: number
  readonly size: () => { readonly answers: number; readonly bytes: number }
}

/** Of so many that were not used for longest, the smallest goes first: the largest took longest to fetch. */
const CANDIDATES = 8

/** The part of the memory that one response may take. */
const MAX_SHARE = 1 / 4

/** @param limit bytes of all responses */
export function createAnswerMemory(limit: number): AnswerMemory {
  /** In the order in which they were used last. */
  const answers = new Map<string, StoredAnswer>()
  let bytes = 0

  function remove(key: string): void {
    const answer = answers.get(key)
    if (answer === undefined) return
    bytes -= sizeOf(key, answer)
    answers.delete(key)
  }

  function evictOne(): void {
    let smallest: string | undefined
    let size = Infinity
    let left = CANDIDATES
    for (const [key, answer] of answers) {
      if (left-- === 0) break
      const own = sizeOf(key, answer)
      if (own < size) [smallest, size] = [key, own]
    }
    remove(smallest!)
  }

  return {
    get(key) {
      const answer = answers.get(key)
      if (answer === undefined) return undefined
      answers.delete(key)
      answers.set(key, answer)
      return answer
    },
    set(key, answer) {
      remove(key)
      const size = sizeOf(key, answer)
      if (size > limit) return
      while (bytes + size > limit) evictOne()
      answers.set(key, answer)
      bytes += size
    },
    delete: remove,
    maxBodyBytes: limit * MAX_SHARE,
    size: () => ({ answers: answers.size, bytes }),
  }
}
