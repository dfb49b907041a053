/** Limits retries, so that they do not make an outage worse. */
export interface RetryBudget {
  /** A request was sent. */
  readonly sent: () => void
  /** Whether a request may be retried; counts the retry. */
  readonly take: () => boolean
}

/** The length of the window, in seconds. */
const WINDOW_SECONDS = 10
/** Retries that are always allowed in the window, because a share of few requests would be none. */
const MIN_RETRIES = 10

/**
 * Retries may be `share` of the requests of the last ten seconds.
 *
 * @param clock milliseconds, rising
 */
export function createRetryBudget(share: number, clock: () => number = () => performance.now()): RetryBudget {
  const sent = Array.from({ length: WINDOW_SECONDS }, () => 0)
  const repeated = Array.from({ length: WINDOW_SECONDS }, () => 0)
  let second = Math.floor(clock() / 1000)
  /** Requests are counted without reading the clock. They are assigned to a second when the sum is needed. */
  let uncounted = 0

  function advance(): number {
    const now = Math.floor(clock() / 1000)
    for (let passed = Math.min(now - second, WINDOW_SECONDS); passed > 0; passed--) {
      const slot = (now - passed + 1) % WINDOW_SECONDS
      sent[slot] = 0
      repeated[slot] = 0
    }
    second = now
    return now % WINDOW_SECONDS
  }

  return {
    sent() {
      uncounted++
      if (uncounted >= 100) {
        sent[advance()]! += uncounted
        uncounted = 0
      }
    },
    take() {
      const slot = advance()
      sent[slot]! += uncounted
      uncounted = 0
      if (sum(repeated) >= Math.max(MIN_RETRIES, Math.floor(share * sum(sent)))) return false
      repeated[slot]!++
      return true
    },
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
