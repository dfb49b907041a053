import type { DynamicsEvent } from '../dynamics/events.ts'
import { counter } from './series.ts'
import type { Collect } from './series.ts'

/** Counts what happens between the gateway and its targets. */
export interface EventCounters {
  /** @param target the label of the target */
  readonly count: (target: string, event: DynamicsEvent) => void
  readonly collect: readonly Collect[]
}

/** A counter for each kind of event. Label values come only from the settings and this file. */
export function eventCounters(): EventCounters {
  const limits = counter(
    'gateway_limits_total',
    '429 responses of Dynamics: waited out, or passed to the caller.',
    'target',
    'limit',
    'outcome',
  )
  const pausedRequests = counter(
    'gateway_held_total',
    'Paused requests: waited for the end of the pause by a service protection limit, or refused.',
    'target',
    'outcome',
  )
  const pauses = counter('gateway_holds_total', 'Pauses in sending by service protection limits.', 'target')
  const retries = counter('gateway_retries_total', 'Retried requests.', 'target', 'reason')
  const retriesDenied = counter(
    'gateway_retries_denied_total',
    'Requests not retried because the retry budget was exhausted.',
    'target',
    'reason',
  )
  const keyedCreates = counter(
    'gateway_keyed_creates_total',
    'Creates with an Idempotency-Key: created, replayed, recovered from the row, refused as reused, or made with another id.',
    'target',
    'outcome',
  )
  const queueFull = counter('gateway_queue_full_total', 'Requests refused because the queue was full.', 'target')
  const limitChanges = counter(
    'gateway_concurrency_changes_total',
    'Changes of the number of requests that may be at Dynamics at once.',
    'target',
    'reason',
  )
  const circuitOpened = counter('gateway_circuit_opened_total', 'Times that the circuit breaker opened.', 'target')
  const tokenRefused = counter(
    'gateway_token_refused_total',
    '401 responses of Dynamics: retried, or given up.',
    'target',
    'outcome',
  )

  function count(target: string, event: DynamicsEvent): void {
    switch (event.kind) {
      case 'limit':
        return limits.count(target, event.limit, event.waits ? 'waited' : 'passed on')
      case 'request-paused':
        return pausedRequests.count(target, event.waits ? 'waited' : 'turned away')
      case 'pause':
      case 'shared-pause':
        return pauses.count(target)
      case 'retry':
        return retries.count(target, event.reason)
      case 'retry-budget':
        return retriesDenied.count(target, event.reason)
      case 'keyed-create':
        return keyedCreates.count(target, event.outcome)
      case 'queue-full':
        return queueFull.count(target)
      case 'circuit':
        return event.state === 'open' ? circuitOpened.count(target) : undefined
      case 'token-refused':
        return tokenRefused.count(target, event.repeated ? 'sent again' : 'given up')
      case 'concurrency':
        return limitChanges.count(target, event.reason)
    }
  }

  const counters = [
    limits,
    pausedRequests,
    pauses,
    retries,
    retriesDenied,
    keyedCreates,
    queueFull,
    limitChanges,
    circuitOpened,
    tokenRefused,
  ]
  return { count, collect: counters.map(({ collect }) => collect) }
}
