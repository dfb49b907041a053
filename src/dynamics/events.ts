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
  /** A request is retried. */
  | ({ readonly kind: 'retry'; readonly trouble: RetryableFailure } & RequestIds)
  /** A request would have been retried, but the retry budget is exhausted. */
  | ({ readonly kind: 'retry-budget'; readonly trouble: RetryableFailure } & RequestIds)
  /**
   * A create with an idempotency key: its row was made; the answer is that of an earlier request, which was remembered
   * (`replayed`) or read from the row (`recovered`); or the key came with another body.
   */
  | ({ readonly kind: 'keyed-create'; readonly outcome: 'created' | 'replayed' | 'recovered' | 'reused' } & RequestIds)
  /** More requests wait than may. */
  | ({ readonly kind: 'queue-full' } & RequestIds)
  /** How many requests may be at Dynamics at once has changed. */
  | { readonly kind: 'concurrency'; readonly limit: number }
  /** Whether connections are tried: not while it is `open`, but one at a time. */
  | ({ readonly kind: 'circuit'; readonly state: 'open' } & RequestIds)
  | { readonly kind: 'circuit'; readonly state: 'closed' }
  /** Dynamics refused the access token; `repeated`: the request is retried with a new one. */
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
          `service protection limit hit: ${event.waits ? 'the request waits' : 'the caller gets the 429'}`,
        )
      case 'held':
        return log.info(
          facts,
          `service protection limit holds: ${event.waits ? 'the request waits' : 'request refused'}`,
        )
      case 'hold':
        return log.warn(facts, 'sending paused by a service protection limit')
      case 'retry':
        return log.info(facts, 'request retried')
      case 'retry-budget':
        return log.warn(facts, 'retry budget exhausted')
      case 'keyed-create':
        return event.outcome === 'created' ? undefined : log.info(facts, 'create sent again with its Idempotency-Key')
      case 'queue-full':
        return log.warn(facts, 'request refused: the queue is full')
      case 'concurrency':
        return log.info(facts, 'concurrency limit changed')
      case 'circuit':
        return event.state === 'open'
          ? log.warn(facts, 'circuit opened: Dynamics cannot be reached; one request at a time probes it')
          : log.info(facts, 'circuit closed: Dynamics can be reached again')
      case 'token-refused':
        return log.warn(facts, 'access token refused by Dynamics')
      case 'rates':
        return undefined
    }
  }
}
