import { compareTimes } from './response-times.ts'
import type { ResponseTimes } from './response-times.ts'

/** The best recent times to the heads of responses: those of Dynamics without overload. */
export interface BestTimes {
  /** Adds times that were measured at `limit`. They become the best if they are better, or if the best are old. */
  readonly add: (times: ResponseTimes, limit: number) => void
  /** Makes `times`, measured at `limit`, the best ones without a comparison. */
  readonly replace: (times: ResponseTimes, limit: number) => void
  /** How many times slower `times` are than the best ones, at least; 1: not slower. */
  readonly slowness: (times: ResponseTimes) => number
  /** Whether a limit far below `limit` was tried recently. */
  readonly isKnownBelow: (limit: number) => boolean
}

/** Older times are ignored. */
const RECENT_MS = 60_000
/** The share of a limit below which another one is far below it. */
const FAR_BELOW_SHARE = 0.7
/** Standard errors that are subtracted from a difference, so that random variation does not count as slowness. */
const CAUTION_STANDARD_ERRORS = 2

/** @param clock monotonic, in milliseconds */
export function createBestTimes(clock: () => number): BestTimes {
  let best: { readonly times: ResponseTimes; readonly at: number } | undefined
  let lowest = { limit: Infinity, at: -Infinity }

  const isRecent = ({ at }: { readonly at: number }): boolean => clock() - at < RECENT_MS

  return {
    add(times, limit) {
      const compared = best === undefined || !isRecent(best) ? undefined : compareTimes(best.times, times)
      if (best === undefined || !isRecent(best) || (compared?.logRatio ?? 0) < 0) best = { times, at: clock() }
      if (limit <= lowest.limit || !isRecent(lowest)) lowest = { limit, at: clock() }
    },
    replace(times, limit) {
      best = { times, at: clock() }
      lowest = { limit, at: clock() }
    },
    slowness(times) {
      const compared = best === undefined ? undefined : compareTimes(best.times, times)
      if (compared === undefined) return 1
      return Math.exp(Math.max(0, compared.logRatio - CAUTION_STANDARD_ERRORS * compared.standardError))
    },
    isKnownBelow: (limit) => lowest.limit <= limit * FAR_BELOW_SHARE && isRecent(lowest),
  }
}
