import type { Cancellation } from '../cancellation.ts'

/**
 * A pause in sending, because of a Retry-After of Dynamics. After it, one request is sent first as a
 * probe. The others follow when Dynamics accepts it, so that a limit that is still exceeded is hit once,
 * not a hundred times.
 */
export interface PauseWindow {
  /** Whether only the probe may be sent now. */
  readonly isPaused: () => boolean
  /** Milliseconds until the probe; 0 while it is in progress, or without a pause. */
  readonly remaining: () => number
  /**
   * Whether `cancellation`'s request must wait. The first request after the end of the pause becomes the probe.
   */
  readonly shouldHold: (cancellation: Cancellation) => boolean
  /** Starts or extends the pause to `milliseconds` from now. */
  readonly start: (milliseconds: number) => StartedPause
  /** Dynamics accepted the request: if it was the probe, the pause is over. */
  readonly succeeded: (cancellation: Cancellation) => void
  /** Waits until the state changes: the pause is over, it was extended, or this request becomes the probe. */
  readonly wait: (cancellation: Cancellation) => Promise<void>
  readonly waiting: () => number
}

/** A pause started by one refusal. */
export interface StartedPause {
  /** Whether there was no pause, or a shorter one, before. */
  readonly isNew: boolean
  /** Shortens the pause to `milliseconds` from now, without a probe afterwards. */
  readonly shorten: (milliseconds: number) => void
}

/** A probe without a response by then no longer delays the others. */
const PROBE_TIMEOUT_MS = 1000

/** Several requests hit a limit at the same time. Their Retry-Afters differ by less than this. */
const SAME_PAUSE_MS = 500

export function createPauseWindow(): PauseWindow {
  /** The end of the wait of each refusal, on the clock of `performance.now()`; empty: no pause. */
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

  /** After the pause, the request that has waited longest is the probe; if it fails, the next one. */
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
    ).unref()
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
      // Pauses that ended, or had ended when the probe was sent, are reported again.
      ends = [...(probe === undefined ? ends.filter((end) => end.until > now) : []), one]
      probe = undefined
      if (news) wakeAll()
      return {
        isNew: news,
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
  }
}
