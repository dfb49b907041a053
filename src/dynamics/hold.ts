import type { Departure } from './send.ts'

/**
 * The time in which nothing may be sent, because Dynamics asked for it. When it is over, one request goes first, as a trial;
 * the others follow when Dynamics takes it, so that a limit that still holds is hit once and not a hundred times.
 */
export interface Hold {
  /** Whether nothing may be sent now but the trial. */
  readonly holds: () => boolean
  /** Milliseconds until Dynamics is asked again; 0 when that is under way, or nothing holds. */
  readonly remaining: () => number
  /** Whether `departure`'s request must not be sent now. The first that is asked after the time is over becomes the trial. */
  readonly keepsBack: (departure: Departure) => boolean
  /** Nothing is sent for `milliseconds`, or longer if that was said before. Whether this is news. */
  readonly begin: (milliseconds: number) => boolean
  /** As `begin`, for a moment after which all go on, without a trial. */
  readonly rest: (milliseconds: number) => boolean
  /** Dynamics took the request: if it was the trial, nothing holds any more. */
  readonly taken: (departure: Departure) => void
  /** Until something changes: nothing holds, the time is longer than was thought, or it is this one's turn to try. */
  readonly wait: (departure: Departure) => Promise<void>
  readonly waiting: () => number
  readonly close: () => void
}

/** A trial that has no answer by then does not keep the others waiting. */
const TRIAL = 1000

/** Several requests meet a limit in the same moment; what they are told differs by less. */
const SAME = 500

export function createHold(): Hold {
  /** On the clock of `performance.now()`; 0: nothing holds. */
  let until = 0
  let triesFirst = false
  let trial: Departure | undefined
  let timer: NodeJS.Timeout | undefined
  const waiters = new Set<() => void>()

  function wakeAll(): void {
    for (const wake of waiters) wake()
  }

  function end(): void {
    trial = undefined
    triesFirst = false
    until = 0
    wakeAll()
  }

  function extend(milliseconds: number): boolean {
    const later = performance.now() + milliseconds
    const news = trial !== undefined || later > until + SAME
    until = trial === undefined ? Math.max(until, later) : later
    trial = undefined
    if (news) wakeAll()
    return news
  }

  /** When the time is over the one that waits longest goes first; if nothing comes of it, the next. */
  function arm(): void {
    clearTimeout(timer)
    const left = until - performance.now()
    timer = setTimeout(() => {
      if (performance.now() >= until) {
        if (triesFirst) waiters.values().next().value?.()
        else end()
      }
      if (waiters.size > 0) arm()
    }, left > 0 ? left + 1 : TRIAL)
  }

  return {
    holds: () => until !== 0 && performance.now() < until,
    remaining: () => until === 0 || trial !== undefined ? 0 : Math.max(until - performance.now(), 0),
    keepsBack(departure) {
      if (until === 0 || trial === departure) return false
      if (performance.now() < until) return true
      if (!triesFirst) {
        end()
        return false
      }
      trial = departure
      until = performance.now() + TRIAL
      return false
    },
    begin(milliseconds) {
      triesFirst = true
      return extend(milliseconds)
    },
    rest: extend,
    taken(departure) {
      if (trial === departure) end()
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
