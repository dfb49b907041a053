import type { UpstreamResponse } from '../send.ts'
import { ratesOf } from './parse.ts'
import type { Rates } from './parse.ts'

/** What Dynamics says of its limits with every response. */
export interface RateReader {
  readonly read: (response: Pick<UpstreamResponse, 'headers'>) => void
  readonly last: () => Rates | undefined
}

/** Only one of so many responses is considered, and read only after this time: looking through headers costs. */
const CONSIDERED_EACH = 16
const MIN_INTERVAL_MS = 100

/**
 * Reads what Dynamics says of its limits, from time to time, because it changes slowly.
 *
 * @param suggest takes how many requests at once Dynamics suggests
 * @param clock milliseconds, rising
 */
export function readRates(
  suggest: (parallel: number) => void,
  clock: () => number = () => performance.now(),
): RateReader {
  let last: Rates | undefined
  let skip = 0
  let nextRead = -Infinity
  return {
    read(response) {
      // The clock is not read for each response either.
      if (skip-- > 0) return
      skip = CONSIDERED_EACH - 1
      const now = clock()
      if (now < nextRead) return
      nextRead = now + MIN_INTERVAL_MS
      const rates = ratesOf(response)
      if (rates === undefined) return
      last = rates
      if (rates.parallel !== undefined && rates.parallel >= 1) suggest(rates.parallel)
    },
    last: () => last,
  }
}
