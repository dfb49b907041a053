/** How many requests may run at once. Falls when Dynamics has too many, and rises slowly when it does not. */
export interface AdaptiveLimit {
  /** The limit now. */
  readonly current: () => number
  /** Raises the limit where its time has come. */
  readonly raise: () => void
  /** Dynamics refused one of `running` requests because there were too many at once. */
  readonly lower: (running: number) => void
  /** Follows the degree of parallelism that Dynamics suggests; whether that changed anything. */
  readonly suggest: (parallel: number) => boolean
}

/** Refusals within this time belong to one burst. */
const SAME_BURST_MS = 1000
/** After this time without a refusal, the limit rises by one. */
const RAISE_INTERVAL_MS = 2000
/** As above, where the next step is a number of requests that Dynamics refused before. */
const CAUTIOUS_RAISE_INTERVAL_MS = 30_000

/**
 * A limit that starts at `max`, and never exceeds it.
 *
 * @param clock milliseconds, rising
 */
export function createAdaptiveLimit(max: number, clock: () => number): AdaptiveLimit {
  let ceiling = max
  let limit = max
  /** The smallest number of requests that Dynamics refused. */
  let tooMany = Infinity
  /** How many requests ran when the last burst of refusals began, and how many of them were refused. */
  let burst = { at: -Infinity, running: 0, refused: 0 }
  let changedAt = 0

  function set(next: number): void {
    changedAt = clock()
    limit = next
  }

  return {
    current: () => limit,
    raise() {
      if (limit >= ceiling) return
      const unchanged = clock() - changedAt
      if (limit + 1 >= tooMany) {
        if (unchanged < CAUTIOUS_RAISE_INTERVAL_MS) return
        tooMany = limit + 2
      }
      const steps = Math.floor(unchanged / RAISE_INTERVAL_MS)
      if (steps > 0) set(Math.min(limit + steps, ceiling, tooMany - 1))
    },
    lower(running) {
      const now = clock()
      if (now - burst.at > SAME_BURST_MS) {
        burst = { at: now, running, refused: 0 }
        tooMany = Math.max(running, 2)
      }
      burst.refused++
      // The requests of the burst that were not refused were not too many.
      set(Math.max(1, Math.min(limit, burst.running - burst.refused)))
    },
    suggest(parallel) {
      const next = Math.max(1, Math.min(max, Math.floor(parallel)))
      if (next === ceiling) return false
      const wasAtCeiling = limit === ceiling
      ceiling = next
      if (limit > ceiling || wasAtCeiling) set(Math.max(1, Math.min(ceiling, tooMany - 1)))
      return true
    },
  }
}
