import type { UpstreamResponse } from '../send.ts'
import { ratesOf } from './parse.ts'
import type { Rates } from './parse.ts'

/** Reads the remaining limits, which Dynamics reports with every response. */
export interface RateReader {
  readonly read: (response: Pick<UpstreamResponse, 'headers'>) => void
  /** The limits that were read last; `undefined` where Dynamics reports none. */
  readonly last: () => Rates | undefined
}

/** One response of this number is considered, because even the clock costs something. */
const RESPONSES_PER_CHECK = 16
/** The shortest time between two readings. */
const MIN_INTERVAL_MS = 100

/**
 * Reads the limits of few responses, because they change slowly and looking through headers costs.
 *
 * @param suggest receives the number of concurrent requests that Dynamics suggests
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
      if (skip-- > 0) return
      skip = RESPONSES_PER_CHECK - 1
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
