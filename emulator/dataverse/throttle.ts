import { throttled } from '../http/fault-responses.ts'
import type { Limit } from '../http/faults.ts'
import type { Reply } from '../http/operation.ts'

/** A period in which every request is refused with 429. It counts the requests that come nevertheless. */
export interface Throttle {
  /** Starts a period, or replaces the current one. */
  start(period: { readonly kind?: Limit; readonly seconds: number }): void
  /** The refusal of a request that arrives now; `undefined` outside a period. */
  refusal(): Reply | undefined
  /** Requests that came within a Retry-After that an earlier response had announced. */
  readonly violations: number
  release(): void
}

/** How long after the first refusal, in milliseconds, requests that were already on their way are not counted. */
const GRACE_MS = 100

/** A throttle outside a period. `clock` returns milliseconds. */
export function createThrottle(clock: () => number = Date.now): Throttle {
  let until = 0
  let limit: Limit = 'count'
  let announced: number | undefined
  let violations = 0

  return {
    start({ kind = 'count', seconds }) {
      until = clock() + seconds * 1000
      limit = kind
      announced = undefined
    },
    refusal() {
      const now = clock()
      if (now >= until) return undefined
      if (announced === undefined) announced = now
      else if (now > announced + GRACE_MS) violations += 1
      return throttled(limit, Math.ceil((until - now) / 1000), false)
    },
    get violations() {
      return violations
    },
    release: () => void (until = 0),
  }
}
