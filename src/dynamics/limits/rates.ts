import type { Semaphore } from '../concurrency/semaphore.ts'
import type { OnEvent } from '../events.ts'
import type { Answer } from '../send.ts'
import { ratesOf } from './parse.ts'
import type { Rates } from './parse.ts'

/** Reads the remaining limits from responses. */
export interface RateReader {
  readonly read: (answer: Answer) => void
  readonly last: () => Rates | undefined
}

/** Reads the limits in Dynamics' responses, at intervals. */
export function readRates(semaphore: Pick<Semaphore, 'suggest'>, onEvent: OnEvent): RateReader {
  let last: Rates | undefined
  let next = 0
  return {
    read(answer) {
      // The values change slowly, and searching all headers takes time.
      if (next-- > 0) return
      next = 15
      const rates = ratesOf(answer)
      if (rates === undefined) return
      last = rates
      if (rates.parallel !== undefined && rates.parallel >= 1) semaphore.suggest(rates.parallel)
      onEvent({ kind: 'rates', ...rates })
    },
    last: () => last,
  }
}
