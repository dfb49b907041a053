import { throttled } from '../http/fault-responses.ts'
import type { Limit } from '../http/faults.ts'
import type { Reply } from '../http/operation.ts'

/** A period during which every request is refused with 429, and which counts who asks nevertheless. */
export interface Throttle {
  /** Begins a period, or replaces the running one. */
  hold(period: { readonly kind?: Limit; readonly seconds: number }): void
  /** The refusal for a request that arrives now; `undefined` when none is due. */
  refusal(): Reply | undefined
  /** Requests that came during a Retry-After that had been announced before. */
  readonly violations: number
  release(): void
}

/** How long after the first refusal requests may still come that were under way, in milliseconds. */
const grace = 100

/** No limit holds yet. `clock` gives milliseconds. */
export function createThrottle(clock: () => number = Date.now): Throttle {
  let until = 0
  let limit: Limit = 'count'
  let announced: number | undefined
  let violations = 0

  return {
    hold({ kind = 'count', seconds }) {
      until = clock() + seconds * 1000
      limit = kind
      announced = undefined
    },
    refusal() {
      const now = clock()
      if (now >= until) return undefined
      if (announced === undefined) announced = now
      else if (now > announced + grace) violations += 1
      return throttled(limit, Math.ceil((until - now) / 1000), false)
    },
    get violations() {
      return violations
    },
    release: () => void (until = 0),
  }
}
