import { compareTimes } from './response-times.ts'
import type { ResponseTimes } from './response-times.ts'

/** The best recent times to the heads of responses: what Dynamics takes when it is not crowded. */
export interface BestTimes {
  /** Times that were measured at `limit`; they count if they are better, or if the best ones are old. */
  readonly add: (times: ResponseTimes, limit: number) => void
  /** From now on `times` are the best there are, though fewer requests, `limit` at once, were tried. */
  readonly replace: (times: ResponseTimes, limit: number) => void
  /** How much slower `times` surely are than the best ones; 1: not slower. */
  readonly slowness: (times: ResponseTimes) => number
  /** Whether far fewer requests than `limit` at once were tried lately. */
  readonly isKnownBelow: (limit: number) => boolean
}

/** Older times say nothing of now. */
const RECENT_MS = 60_000
/** Fewer requests are far fewer below this share. */
const FAR_BELOW_SHARE = 0.7
/** Standard errors that are taken off a difference, so that chance does not look like slowness. */
const CAUTION_STANDARD_ERRORS = 2

/** @param clock milliseconds, rising */
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
