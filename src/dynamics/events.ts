import type { Logger } from '../logging/logger.ts'
import type { LimitReason } from './concurrency/adaptive-limit.ts'
import type { Limit } from './limits/parse.ts'
import type { RequestIds } from './request-record.ts'
import type { RetryableFailure } from './retry-policy.ts'

/**
 * Events of requests to Dynamics, for the log and the metrics. Times are milliseconds. Events of one request
 * have its ids.
 */
export type DynamicsEvent =
  /** Dynamics responded with 429. `waits`: the request is retried after `wait`; otherwise the caller gets the 429. */
  | ({ readonly kind: 'limit'; readonly limit: Limit; readonly wait: number; readonly waits: boolean } & RequestIds)
  /** A request is not sent because of a limit that another request hit; `waits` as above. */
  | ({ readonly kind: 'request-paused'; readonly wait: number; readonly waits: boolean } & RequestIds)
  /** Nothing is sent for `wait`. */
  | ({ readonly kind: 'pause'; readonly wait: number } & RequestIds)
  /** The same, because another replica hit the limit. */
  | { readonly kind: 'shared-pause'; readonly wait: number }
  /** A request is retried. */
  | ({ readonly kind: 'retry'; readonly reason: RetryableFailure } & RequestIds)
  /** A request would have been retried, but the retry budget is exhausted. */
  | ({ readonly kind: 'retry-budget'; readonly reason: RetryableFailure } & RequestIds)
  /**
   * A create with an idempotency key: its row was created; the response is that of an earlier request, remembered
   * (`replayed`) or read from the row (`recovered`); or the key came with another body, or the row got another id.
   */
  | ({
      readonly kind: 'keyed-create'
      readonly outcome: 'created' | 'replayed' | 'recovered' | 'reused' | 'id differs'
    } & RequestIds)
  /** A request was refused because the queue is full. */
  | ({ readonly kind: 'queue-full' } & RequestIds)
  /** The concurrency limit changed; trials are left out. */
  | { readonly kind: 'concurrency'; readonly limit: number; readonly reason: LimitReason }
  /** The circuit breaker opened or closed. While it is `open`, one request at a time probes Dynamics. */
  | ({ readonly kind: 'circuit'; readonly state: 'open' } & RequestIds)
  | { readonly kind: 'circuit'; readonly state: 'closed' }
  /** Dynamics refused the access token; `repeated`: the request is retried with a new one. */
  | ({ readonly kind: 'token-refused'; readonly repeated: boolean } & RequestIds)

/** Receives each event synchronously; must not throw. */
export type OnEvent = (event: DynamicsEvent) => void

/** Logs the events that matter to operators. */
export function logEvents(log: Pick<Logger, 'info' | 'warn'>, target: string | undefined): OnEvent {
  return (event) => {
    const facts = { target, ...event }
    switch (event.kind) {
      case 'limit':
        return log.warn(
          facts,
          `service protection limit hit: ${event.waits ? 'the request waits' : 'the caller gets the 429'}`,
        )
      case 'request-paused':
        return log.info(
          facts,
          `service protection limit holds: ${event.waits ? 'the request waits' : 'request refused'}`,
        )
      case 'pause':
        return log.warn(facts, 'sending paused by a service protection limit')
      case 'shared-pause':
        return log.info(facts, 'sending paused: another replica hit a service protection limit')
      case 'retry':
        return log.info(facts, 'request retried')
      case 'retry-budget':
        return log.warn(facts, 'retry budget exhausted')
      case 'keyed-create':
        if (event.outcome === 'id differs') {
          return log.warn(facts, 'create with an Idempotency-Key made a row with another id')
        }
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
    }
  }
}
