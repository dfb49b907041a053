import type { Logger } from '../logger.ts'
import type { Limit, Rates } from './limits/parse.ts'
import type { RequestIds } from './request-record.ts'
import type { RetryableFailure } from './retry-policy.ts'

/**
 * What happens on the way to Dynamics, for the log and the metrics. Times are milliseconds. What happens to one request
 * carries its ids.
 */
export type DynamicsEvent =
  /** Dynamics answered 429. `waits`: the request is sent again after `wait`; else the 429 goes to the caller. */
  | ({ readonly kind: 'limit'; readonly limit: Limit; readonly wait: number; readonly waits: boolean } & RequestIds)
  /** A limit that another request hit keeps a request from being sent; `waits` as above. */
  | ({ readonly kind: 'held'; readonly wait: number; readonly waits: boolean } & RequestIds)
  /** Nothing is sent for `wait`. */
  | ({ readonly kind: 'hold'; readonly wait: number } & RequestIds)
  /** A request is sent once more. */
  | ({ readonly kind: 'retry'; readonly trouble: RetryableFailure } & RequestIds)
  /** A request would have been sent once more, if that had not been too often of late. */
  | ({ readonly kind: 'retry-budget'; readonly trouble: RetryableFailure } & RequestIds)
  /** More requests wait than may. */
  | ({ readonly kind: 'queue-full' } & RequestIds)
  /** How many requests may be at Dynamics at once has changed. */
  | { readonly kind: 'concurrency'; readonly limit: number }
  /** Whether connections are tried: not while it is `open`, but one at a time. */
  | ({ readonly kind: 'circuit'; readonly state: 'open' } & RequestIds)
  | { readonly kind: 'circuit'; readonly state: 'closed' }
  /** Dynamics refused the access token; `repeated`: the request is sent once more with a new one. */
  | ({ readonly kind: 'token-refused'; readonly repeated: boolean } & RequestIds)
  /** What is left of Dynamics' limits, by its own account; `undefined` where it does not say. */
  | ({ readonly kind: 'rates' } & Rates)

/** Is told what happens, at once; must not throw. */
export type OnEvent = (event: DynamicsEvent) => void

/** Writes a line for what an operator may want to know. */
export function logEvents(log: Pick<Logger, 'info' | 'warn'>, target: string | undefined): OnEvent {
  return (event) => {
    const facts = { target, ...event }
    switch (event.kind) {
      case 'limit':
        return log.warn(
          facts,
          `Dynamics' limit was hit: ${event.waits ? 'the request waits' : 'the caller gets the 429'}`,
        )
      case 'held':
        return log.info(facts, `Dynamics' limit holds: a request ${event.waits ? 'waits' : 'was turned away'}`)
      case 'hold':
        return log.warn(facts, "nothing is sent while Dynamics' limit holds")
      case 'retry':
        return log.info(facts, 'a request is sent once more')
      case 'retry-budget':
        return log.warn(facts, 'a request is not sent once more: that was too often of late')
      case 'queue-full':
        return log.warn(facts, 'a request was turned away: too many wait')
      case 'concurrency':
        return log.info(facts, 'requests at once were limited anew')
      case 'circuit':
        return event.state === 'open'
          ? log.warn(facts, 'Dynamics cannot be reached: requests are turned away, but for one probe at a time')
          : log.info(facts, 'Dynamics can be reached again')
      case 'token-refused':
        return log.warn(facts, 'Dynamics refused the access token')
      case 'rates':
        return undefined
    }
  }
}
