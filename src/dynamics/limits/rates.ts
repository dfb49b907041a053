import type { OnEvent } from '../events.ts'
import type { UpstreamResponse } from '../send.ts'
import { ratesOf } from './parse.ts'
import type { Rates } from './parse.ts'

/** What Dynamics says of its limits with every response. */
export interface RateReader {
  readonly read: (response: UpstreamResponse) => void
  readonly last: () => Rates | undefined
}

/**
 * Listens to what Dynamics says of its limits: now and then is enough.
 *
 * @param suggest takes how many requests at once Dynamics suggests
 */
export function readRates(suggest: (parallel: number) => void, onEvent: OnEvent): RateReader {
  let last: Rates | undefined
  let next = 0
  return {
    read(response) {
      // It changes slowly, and looking through all headers costs.
      if (next-- > 0) return
      next = 15
      const rates = ratesOf(response)
      if (rates === undefined) return
      last = rates
      if (rates.parallel !== undefined && rates.parallel >= 1) suggest(rates.parallel)
      onEvent({ kind: 'rates', ...rates })
    },
    last: () => last,
  }
}
