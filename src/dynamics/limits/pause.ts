import type { Departure } from '../send.ts'

/**
 * The time in which nothing may be sent, because Dynamics asked for it. When it is over, one request goes first, as a
 * trial; the others follow when Dynamics takes it, so that a limit that still holds is hit once and not a hundred
 * times.
 */
export interface Hold {
  /** Whether nothing may be sent now but the trial. */
  readonly holds: () => boolean
  /** Milliseconds until Dynamics is asked again; 0 when that is under way, or nothing holds. */
  readonly remaining: () => number
  /**
   * Whether `departure`'s request must not be sent now. The first that asks when the time is over becomes the trial.
   */
  readonly keepsBack: (departure: Departure) => boolean
  /** Nothing is sent for `milliseconds`. */
  readonly begin: (milliseconds: number) => Begun
  /** Dynamics took the request: if it was the trial, nothing holds any more. */
  readonly taken: (departure: Departure) => void
  /** Until something changes: nothing holds, the time is longer than was thought, or it is this one's turn to try. */
  readonly wait: (departure: Departure) => Promise<void>
  readonly waiting: () => number
  readonly close: () => void
}

/** A hold that one refusal began. */
export interface Begun {
  /** Whether nothing or less was known of it before. */
  readonly news: boolean
  /** It is not so serious: `milliseconds` from now are enough, and then all may go on without a trial. */
  readonly relax: (milliseconds: number) => void
}

/** A trial that has no answer by then does not keep the others waiting. */
const TRIAL = 1000

/** Several requests meet a limit in the same moment; what they are told differs by less. */
const SAME = 500

export function createHold(): Hold {
  /** Until when each refusal asked to wait, on the clock of `performance.now()`; none: nothing holds. */
  let ends: { until: number, serious: boolean }[] = []
  let trial: { readonly departure: Departure, readonly until: number } | undefined
  let timer: NodeJS.Timeout | undefined
  const waiters = new Set<() => void>()

  function until(): number {
    return trial?.until ?? Math.max(...ends.map((end) => end.until))
  }

  function wakeAll(): void {
    for (const wake of waiters) wake()
  }

  function end(): void {
    trial = undefined
    ends = []
    wakeAll()
  }

  /** When the time is over the one that waits longest goes first; if nothing comes of it, the next. */
  function arm(): void {
    clearTimeout(timer)
    const left = until() - performance.now()
    timer = setTimeout(() => {
      if (performance.now() >= until()) {
        if (ends.some(({ serious }) => serious)) waiters.values().next().value?.()
        else end()
      }
      if (waiters.size > 0) arm()
    }, left > 0 ? left + 1 : TRIAL)
  }

  return {
    holds: () => ends.length > 0 && performance.now() < until(),
    remaining: () => ends.length === 0 || trial !== undefined ? 0 : Math.max(until() - performance.now(), 0),
    keepsBack(departure) {
      if (ends.length === 0 || trial?.departure === departure) return false
      const now = performance.now()
      if (now < until()) return true
      if (ends.some(({ serious }) => serious)) trial = { departure, until: now + TRIAL }
      else end()
      return false
    },
    begin(milliseconds) {
      const now = performance.now()
      const one = { until: now + milliseconds, serious: true }
      const news = trial !== undefined || ends.length === 0 || one.until > until() + SAME
      // What is over, or was over when the trial was sent, is told anew.
      ends = [...trial === undefined ? ends.filter((end) => end.until > now) : [], one]
      trial = undefined
      if (news) wakeAll()
      return {
        news,
        relax(milliseconds) {
          one.serious = false
          one.until = Math.min(one.until, performance.now() + milliseconds)
          if (waiters.size > 0) arm()
        },
      }
    },
    taken(departure) {
      if (trial?.departure === departure) end()
    },
    wait: (departure) => new Promise((resolve, reject) => {
      if (departure.reason !== undefined) return reject(departure.reason)
      function wake(): void {
        waiters.delete(wake)
        departure.onLeave = undefined
        resolve()
      }
      departure.onLeave = (reason) => {
        waiters.delete(wake)
        reject(reason)
      }
      waiters.add(wake)
      if (waiters.size === 1) arm()
    }),
    waiting: () => waiters.size,
    close: () => clearTimeout(timer),
  }
}
