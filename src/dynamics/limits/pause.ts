import type { Cancellation } from '../cancellation.ts'

/**
 * The time in which nothing may be sent, because Dynamics asked for it. When it is over, one request goes first, as a
 * trial; the others follow when Dynamics takes it, so that a limit that still holds is hit once and not a hundred
 * times.
 */
export interface PauseWindow {
  /** Whether nothing may be sent now but the trial. */
  readonly isPaused: () => boolean
  /** Milliseconds until Dynamics is asked again; 0 when that is under way, or nothing holds. */
  readonly remaining: () => number
  /**
   * Whether `cancellation`'s request must not be sent now. The first that asks when the time is over becomes the trial.
   */
  readonly shouldHold: (cancellation: Cancellation) => boolean
  /** Nothing is sent for `milliseconds`. */
  readonly start: (milliseconds: number) => StartedPause
  /** Dynamics took the request: if it was the trial, nothing holds any more. */
  readonly succeeded: (cancellation: Cancellation) => void
  /** Until something changes: nothing holds, the time is longer than was thought, or it is this one's turn to try. */
  readonly wait: (cancellation: Cancellation) => Promise<void>
  readonly waiting: () => number
  readonly close: () => void
}

/** A hold that one refusal began. */
export interface StartedPause {
  /** Whether nothing or less was known of it before. */
  readonly extends: boolean
  /** It is not so serious: `milliseconds` from now are enough, and then all may go on without a trial. */
  readonly shorten: (milliseconds: number) => void
}

/** A trial that has no answer by then does not keep the others waiting. */
const PROBE_TIMEOUT_MS = 1000

/** Several requests meet a limit in the same moment; what they are told differs by less. */
const SAME_PAUSE_MS = 500

export function createPauseWindow(): PauseWindow {
  /** Until when each refusal asked to wait, on the clock of `performance.now()`; none: nothing holds. */
  let ends: { until: number; serious: boolean }[] = []
  let probe: { readonly cancellation: Cancellation; readonly until: number } | undefined
  let timer: NodeJS.Timeout | undefined
  const waiters = new Set<() => void>()

  function until(): number {
    return probe?.until ?? Math.max(...ends.map((end) => end.until))
  }

  function wakeAll(): void {
    for (const wake of waiters) wake()
  }

  function end(): void {
    probe = undefined
    ends = []
    wakeAll()
  }

  /** When the time is over the one that waits longest goes first; if nothing comes of it, the next. */
  function arm(): void {
    clearTimeout(timer)
    const left = until() - performance.now()
    timer = setTimeout(
      () => {
        if (performance.now() >= until()) {
          if (ends.some(({ serious }) => serious)) waiters.values().next().value?.()
          else end()
        }
        if (waiters.size > 0) arm()
      },
      left > 0 ? left + 1 : PROBE_TIMEOUT_MS,
    )
  }

  return {
    isPaused: () => ends.length > 0 && performance.now() < until(),
    remaining: () => (ends.length === 0 || probe !== undefined ? 0 : Math.max(until() - performance.now(), 0)),
    shouldHold(cancellation) {
      if (ends.length === 0 || probe?.cancellation === cancellation) return false
      const now = performance.now()
      if (now < until()) return true
      if (ends.some(({ serious }) => serious)) probe = { cancellation: cancellation, until: now + PROBE_TIMEOUT_MS }
      else end()
      return false
    },
    start(milliseconds) {
      const now = performance.now()
      const one = { until: now + milliseconds, serious: true }
      const news = probe !== undefined || ends.length === 0 || one.until > until() + SAME_PAUSE_MS
      // What is over, or was over when the trial was sent, is told again.
      ends = [...(probe === undefined ? ends.filter((end) => end.until > now) : []), one]
      probe = undefined
      if (news) wakeAll()
      return {
        extends: news,
        shorten(milliseconds) {
          one.serious = false
          one.until = Math.min(one.until, performance.now() + milliseconds)
          if (waiters.size > 0) arm()
        },
      }
    },
    succeeded(cancellation) {
      if (probe?.cancellation === cancellation) end()
    },
    wait: (cancellation) =>
      cancellation.wait((done) => {
        function wake(): void {
          waiters.delete(wake)
          done()
        }
        waiters.add(wake)
        if (waiters.size === 1) arm()
        return () => waiters.delete(wake)
      }),
    waiting: () => waiters.size,
    close: () => clearTimeout(timer),
  }
}
