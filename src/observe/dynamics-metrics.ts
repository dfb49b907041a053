import type { TokenState } from '../credentials/credential.ts'
import type { ConnectionState } from '../dynamics/connect.ts'
import type { DynamicsEvent, OnEvent } from '../dynamics/events.ts'
import type { SharedState } from '../replicas/shared-state.ts'
import { counter, read } from './series.ts'
import type { Collect } from './series.ts'
import { folded, targetLabels } from './target-labels.ts'
import type { Fold } from './target-labels.ts'

/** The state of one target that a scrape reads. */
export interface Sources {
  readonly credential: () => TokenState
  readonly connection: () => ConnectionState
  readonly users: () => { readonly users: number; readonly unknown: number }
  readonly sharing: SharedState['status']
}

export interface DynamicsMetrics {
  /** Counts the events of the target with this name. */
  readonly watch: (target: string) => OnEvent
  /** Adds the state of the target with this name. */
  readonly show: (target: string, sources: Sources) => void
  readonly collect: readonly Collect[]
}

/** How targets that share a label are shown: the others are added up. */
const FOLDS: Readonly<Record<string, Fold>> = {
  gateway_token_expiry_seconds: 'least',
  gateway_credential_expiry_seconds: 'least',
  gateway_circuit_open: 'most',
  gateway_hold_seconds: 'most',
  gateway_remaining_requests: 'least',
  gateway_remaining_seconds: 'least',
  gateway_suggested_parallel: 'least',
  gateway_replicas: 'most',
  gateway_replica_alone: 'most',
}

const TOKENS = ['fresh', 'stale', 'none'] as const

/** Metrics between the gateway and its targets. Label values come only from the settings and this file. */
export function dynamicsMetrics(): DynamicsMetrics {
  const limits = counter(
    'gateway_limits_total',
    '429 responses of Dynamics: waited out, or passed to the caller.',
    'target',
    'limit',
    'outcome',
  )
  const held = counter(
    'gateway_held_total',
    'Requests during a pause by a service protection limit: waited, or refused.',
    'target',
    'outcome',
  )
  const holds = counter('gateway_holds_total', 'Pauses in sending by service protection limits.', 'target')
  const retries = counter('gateway_retries_total', 'Retried requests.', 'target', 'trouble')
  const denied = counter(
    'gateway_retries_denied_total',
    'Requests not retried because the retry budget was exhausted.',
    'target',
    'trouble',
  )
  const keyed = counter(
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
  const opened = counter('gateway_circuit_opened_total', 'Times that the circuit breaker opened.', 'target')
  const refused = counter(
    'gateway_token_refused_total',
    '401 responses of Dynamics: retried, or given up.',
    'target',
    'outcome',
  )
  const labelOf = targetLabels()
  /** By label. */
  const shown = new Map<string, Sources[]>()

  /** A value of each target, or of those that share a label. */
  function each(
    name: string,
    help: string,
    value: (sources: Sources) => number | undefined,
    type?: 'counter',
  ): Collect {
    return read(
      name,
      help,
      () => [...shown].map(([target, of]) => ({ labels: { target }, value: folded(of.map(value), FOLDS[name]) })),
      type,
    )
  }
  /** A value of each target's token, and of each connection. */
  function token(name: string, help: string, value: (state: TokenState) => number, type?: 'counter'): Collect {
    return each(name, help, ({ credential }) => value(credential()), type)
  }
  function way(name: string, help: string, value: (state: ConnectionState) => number | undefined): Collect {
    return each(name, help, ({ connection }) => value(connection()))
  }

  function count(target: string, event: DynamicsEvent): void {
    switch (event.kind) {
      case 'limit':
        return limits.count(target, event.limit, event.waits ? 'waited' : 'passed on')
      case 'request-paused':
        return held.count(target, event.waits ? 'waited' : 'turned away')
      case 'pause':
      case 'shared-pause':
        return holds.count(target)
      case 'retry':
        return retries.count(target, event.trouble)
      case 'retry-budget':
        return denied.count(target, event.trouble)
      case 'keyed-create':
        return keyed.count(target, event.outcome)
      case 'queue-full':
        return queueFull.count(target)
      case 'circuit':
        return event.state === 'open' ? opened.count(target) : undefined
      case 'token-refused':
        return refused.count(target, event.repeated ? 'sent again' : 'given up')
      case 'concurrency':
        return limitChanges.count(target, event.reason)
      case 'rates':
        return undefined
    }
  }

  return {
    watch: (name) => {
      const target = labelOf(name)
      return (event) => count(target, event)
    },
    show: (name, sources) => {
      const target = labelOf(name)
      shown.set(target, [...(shown.get(target) ?? []), sources])
    },
    collect: [
      ...[limits, held, holds, retries, denied, keyed, queueFull, limitChanges, opened, refused].map(
        ({ collect }) => collect,
      ),
      read(
        'gateway_token_state',
        'State of the access token: 1 for the current one of fresh, stale (renewal due) and none.',
        () => {
          return [...shown].flatMap(([target, of]) =>
            TOKENS.map((state) => ({
              labels: { target, state },
              value: of.some(({ credential }) => credential().token === state) ? 1 : 0,
            })),
          )
        },
      ),
      token(
        'gateway_token_expiry_seconds',
        'Seconds until the access token expires.',
        ({ validFor }) => Math.max(validFor, 0) / 1000,
      ),
      each('gateway_credential_expiry_seconds', 'Seconds until the credential expires, if known.', (sources) => {
        const { credentialEnds } = sources.credential()
        return credentialEnds === undefined ? undefined : Math.round((credentialEnds - Date.now()) / 1000)
      }),
      token('gateway_token_renewals_total', 'Tokens fetched.', ({ renewals }) => renewals, 'counter'),
      token(
        'gateway_token_failures_total',
        'Failed fetches of an access token.',
        ({ failures }) => failures,
        'counter',
      ),
      way('gateway_circuit_open', '1 while the circuit breaker is open.', ({ circuit }) =>
        circuit === 'open' ? 1 : 0,
      ),
      way(
        'gateway_hold_seconds',
        'Seconds until the end of the pause by a service protection limit.',
        ({ pauseMs: hold }) => hold / 1000,
      ),
      way('gateway_requests_held', 'Requests waiting for the end of a pause.', ({ waitingForPause: held }) => held),
      way('gateway_requests_running', 'Requests in progress at Dynamics.', ({ running }) => running),
      way('gateway_requests_waiting', 'Requests in the queue.', ({ waiting }) => waiting),
      way(
        'gateway_background_requests_waiting',
        'Background requests in the queue.',
        ({ waitingInBackground }) => waitingInBackground,
      ),
      way('gateway_concurrency_limit', 'Limit of concurrent requests to Dynamics.', ({ limit }) => limit),
      way('gateway_remaining_requests', 'Remaining requests reported by Dynamics.', ({ rates }) => rates?.requests),
      way(
        'gateway_remaining_seconds',
        'Remaining execution time reported by Dynamics, in seconds.',
        ({ rates }) => rates?.seconds,
      ),
      way('gateway_suggested_parallel', 'Degree of parallelism suggested by Dynamics.', ({ rates }) => rates?.parallel),
      each('gateway_users_known', 'Cached users.', ({ users }) => users().users),
      each('gateway_users_unknown', 'Cached e-mail addresses without a user.', ({ users }) => users().unknown),
      each('gateway_replicas', 'Living replicas that share what they know.', ({ sharing }) => sharing()?.replicas),
      each('gateway_replica_alone', '1 while Redis cannot be used, and the replica works alone.', ({ sharing }) => {
        const status = sharing()
        return status === undefined ? undefined : Number(status.alone !== undefined)
      }),
    ],
  }
}
