import type { TokenState } from '../credentials/credential.ts'
import type { ConnectionState } from '../dynamics/connect.ts'
import type { OnEvent } from '../dynamics/events.ts'
import type { SharedState } from '../replicas/shared-state.ts'
import { counter, read } from './series.ts'
import type { Collect } from './series.ts'

/** What of one target is looked at when Prometheus asks. */
export interface Sources {
  readonly credential: () => TokenState
  readonly connection: () => ConnectionState
  readonly users: () => { readonly users: number; readonly unknown: number }
  readonly sharing: SharedState['status']
}

export interface DynamicsMetrics {
  /** Counts what happens on the way to the target of this name. */
  readonly watch: (target: string) => OnEvent
  /** Shows the state of the target of this name. */
  readonly show: (target: string, sources: Sources) => void
  readonly collect: readonly Collect[]
}

const TOKENS = ['fresh', 'stale', 'none'] as const

/** What happens between the gateway and its targets. All labels are the settings' or this file's own words. */
export function dynamicsMetrics(): DynamicsMetrics {
  const limits = counter(
    'gateway_limits_total',
    'Answers of 429: waited out, or passed on.',
    'target',
    'limit',
    'outcome',
  )
  const held = counter(
    'gateway_held_total',
    'Requests while a limit held: waited, or turned away.',
    'target',
    'outcome',
  )
  const holds = counter('gateway_holds_total', "Times that nothing was sent because of Dynamics' limits.", 'target')
  const retries = counter('gateway_retries_total', 'Requests that were retried.', 'target', 'trouble')
  const denied = counter(
    'gateway_retries_denied_total',
    'Requests that were not: too many had been.',
    'target',
    'trouble',
  )
  const keyed = counter(
    'gateway_keyed_creates_total',
    'Creates with an Idempotency-Key: created, replayed, recovered from the row, or refused as reused.',
    'target',
    'outcome',
  )
  const queueFull = counter('gateway_queue_full_total', 'Requests turned away because too many waited.', 'target')
  const limitChanges = counter(
    'gateway_concurrency_changes_total',
    'Changes of the number of requests that may be at Dynamics at once.',
    'target',
    'reason',
  )
  const opened = counter('gateway_circuit_opened_total', 'Times that connecting was given up for a while.', 'target')
  const refused = counter(
    'gateway_token_refused_total',
    'Answers of 401: sent again, or given up.',
    'target',
    'outcome',
  )
  const shown = new Map<string, Sources>()

  /** A reading of each target. */
  function each(
    name: string,
    help: string,
    value: (sources: Sources) => number | undefined,
    type?: 'counter',
  ): Collect {
    return read(
      name,
      help,
      () => [...shown].map(([target, from]) => ({ labels: { target }, value: value(from) })),
      type,
    )
  }
  /** A reading of each target's token, and of each way to one. */
  function token(name: string, help: string, value: (state: TokenState) => number, type?: 'counter'): Collect {
    return each(name, help, ({ credential }) => value(credential()), type)
  }
  function way(name: string, help: string, value: (state: ConnectionState) => number | undefined): Collect {
    return each(name, help, ({ connection }) => value(connection()))
  }

  return {
    watch: (target) => (event) => {
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
    },
    show: (target, sources) => void shown.set(target, sources),
    collect: [
      ...[limits, held, holds, retries, denied, keyed, queueFull, limitChanges, opened, refused].map(
        ({ collect }) => collect,
      ),
      read('gateway_token_state', 'Whether the token is fresh, stale (renewal due) or none: 1 for what it is.', () => {
        return [...shown].flatMap(([target, { credential }]) =>
          TOKENS.map((state) => ({ labels: { target, state }, value: credential().token === state ? 1 : 0 })),
        )
      }),
      token(
        'gateway_token_expiry_seconds',
        'Seconds until the token expires.',
        ({ validFor }) => Math.max(validFor, 0) / 1000,
      ),
      each(
        'gateway_credential_expiry_seconds',
        'Seconds until the credential ends, where that is known.',
        (sources) => {
          const { credentialEnds } = sources.credential()
          return credentialEnds === undefined ? undefined : Math.round((credentialEnds - Date.now()) / 1000)
        },
      ),
      token('gateway_token_renewals_total', 'Tokens fetched.', ({ renewals }) => renewals, 'counter'),
      token('gateway_token_failures_total', 'Failed attempts to fetch a token.', ({ failures }) => failures, 'counter'),
      way('gateway_circuit_open', '1 while connecting is given up.', ({ circuit }) => (circuit === 'open' ? 1 : 0)),
      way(
        'gateway_hold_seconds',
        "Seconds that nothing is sent for, by Dynamics' limits.",
        ({ pauseMs: hold }) => hold / 1000,
      ),
      way('gateway_requests_held', "Requests that wait for Dynamics' limits.", ({ waitingForPause: held }) => held),
      way('gateway_requests_running', 'Requests that are at Dynamics.', ({ running }) => running),
      way('gateway_requests_waiting', 'Requests that wait for their turn.', ({ waiting }) => waiting),
      way('gateway_concurrency_limit', 'Requests that may be at Dynamics at once.', ({ limit }) => limit),
      way('gateway_remaining_requests', 'Requests that are left, says Dynamics.', ({ rates }) => rates?.requests),
      way(
        'gateway_remaining_seconds',
        'Seconds of execution that are left, says Dynamics.',
        ({ rates }) => rates?.seconds,
      ),
      way('gateway_suggested_parallel', 'Requests at once that Dynamics suggests.', ({ rates }) => rates?.parallel),
      each('gateway_users_known', 'Users that are remembered.', ({ users }) => users().users),
      each(
        'gateway_users_unknown',
        'E-mail addresses that are remembered to mean nobody.',
        ({ users }) => users().unknown,
      ),
      each('gateway_replicas', 'Living replicas that share what they know.', ({ sharing }) => sharing()?.replicas),
      each('gateway_replica_alone', '1 while Redis cannot be used, and the replica works alone.', ({ sharing }) => {
        const status = sharing()
        return status === undefined ? undefined : Number(status.alone !== undefined)
      }),
    ],
  }
}
