import type { Cancellation } from './cancellation.ts'

/** When a request must have ended. */
export class TimeLimit {
  readonly cancellation: Cancellation
  /** By `performance.now()`. */
  readonly end: number
  /** Its neighbours in a list; `undefined` at the ends of the list, and in no list. */
  older: TimeLimit | undefined = undefined
  younger: TimeLimit | undefined = undefined

  constructor(cancellation: Cancellation, end: number) {
    this.cancellation = cancellation
    this.end = end
  }
}

/**
 * Time limits, in the order in which they were added. It is a linked list, because entries come and go with each
 * request: V8 would have to replace the table of a `Map` every few milliseconds
 * (docs/decisions/cost-of-a-request.md).
 */
export class TimeLimits {
  oldest: TimeLimit | undefined = undefined
  #youngest: TimeLimit | undefined = undefined

  add(limit: TimeLimit): void {
    const before = this.#youngest
    if (before === undefined) this.oldest = limit
    else before.younger = limit
    limit.older = before
    this.#youngest = limit
  }

  /** Without effect on a limit that has been removed before. */
  remove(limit: TimeLimit): void {
    const { older, younger } = limit
    if (older === undefined && this.oldest !== limit) return
    if (older === undefined) this.oldest = younger
    else older.younger = younger
    if (younger === undefined) this.#youngest = older
    else younger.older = older
    // A removed limit in the old generation would otherwise keep younger ones in memory.
    limit.older = limit.younger = undefined
  }
}
