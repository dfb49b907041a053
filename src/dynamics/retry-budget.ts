/** How often requests may be retried, so that an outage is not made worse by asking twice. */
export interface RetryBudget {
  /** A request was sent. */
  readonly sent: () => void
  /** Whether one may be retried; counts it. */
  readonly take: () => boolean
}

/** Seconds that are looked back. */
const SECONDS = 10
/** So many may always be repeated in that time: a share of few requests is nothing. */
const LEAST = 10

/**
 * Repetitions may be `share` of the requests of the last ten seconds.
 *
 * @param clock milliseconds, rising
 */
export function createRetryBudget(share: number, clock: () => number = () => performance.now()): RetryBudget {
  const sent = Array.from({ length: SECONDS }, () => 0)
  const repeated = Array.from({ length: SECONDS }, () => 0)
  let second = Math.floor(clock() / 1000)
  /** Requests are counted without looking at the clock; whoever needs the sum gives them their second. */
  let uncounted = 0

  function advance(): number {
    const now = Math.floor(clock() / 1000)
    for (let passed = Math.min(now - second, SECONDS); passed > 0; passed--) {
      const slot = (now - passed + 1) % SECONDS
      sent[slot] = 0
      repeated[slot] = 0
    }
    second = now
    return now % SECONDS
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
      if (sum(repeated) >= Math.max(LEAST, Math.floor(share * sum(sent)))) return false
      repeated[slot]!++
      return true
    },
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
