import type { TokenState } from '../credentials/credential.ts'
import type { ConnectionState } from '../dynamics/connect.ts'
import type { Watch } from '../dynamics/watch.ts'
import { counter, read } from './series.ts'
import type { Collect } from './series.ts'

/** What of one target is looked at when Prometheus asks. */
export interface Sources {
  readonly credential: () => TokenState
  readonly connection: () => ConnectionState
  readonly users: () => { readonly users: number, readonly unknown: number }
}

export interface DynamicsMetrics {
  /** Counts what happens on the way to the target of this name. */
  readonly watch: (target: string) => Watch
  /** Shows the state of the target of this name. */
  readonly show: (target: string, sources: Sources) => void
  readonly collect: readonly Collect[]
}

/** What happens between the gateway and its targets. All labels are the settings' or this file's own words. */
export function dynamicsMetrics(): DynamicsMetrics {
  const limits = counter('gateway_limits_total', 'Answers of 429 by the limit that was hit; waited out, or passed on to the caller.', 'target', 'limit', 'outcome')
  const held = counter('gateway_held_total', 'Requests that met a limit which held already; they waited, or were turned away.', 'target', 'outcome')
  const holds = counter('gateway_holds_total', 'Times that nothing was sent because of Dynamics\' limits.', 'target')
  const retries = counter('gateway_retries_total', 'Requests that were sent once more, by trouble.', 'target', 'trouble')
  const denied = counter('gateway_retries_denied_total', 'Requests that were not sent once more because too many had been.', 'target', 'trouble')
  const queueFull = counter('gateway_queue_full_total', 'Requests that were turned away because too many waited.', 'target')
  const opened = counter('gateway_circuit_opened_total', 'Times that connections to Dynamics were given up for a while.', 'target')
  const refused = counter('gateway_token_refused_total', 'Answers of 401; the request was sent again with a new token, or could not be.', 'target', 'outcome')
  const shown = new Map<string, Sources>()

  /** A reading of each target. */
  const each = (name: string, help: string, value: (sources: Sources) => number | undefined, type?: 'gauge' | 'counter'): Collect =>
    read(name, help, () => [...shown].map(([target, sources]) => ({ labels: { target }, value: value(sources) })), type)

  return {
    watch: (target) => (event) => {
      switch (event.kind) {
        case 'limit': return limits.count(target, event.limit, event.waits ? 'waited' : 'passed on')
        case 'held': return held.count(target, event.waits ? 'waited' : 'turned away')
        case 'hold': return holds.count(target)
        case 'retry': return retries.count(target, event.trouble)
        case 'retry-budget': return denied.count(target, event.trouble)
        case 'queue-full': return queueFull.count(target)
        case 'circuit': return event.state === 'open' ? opened.count(target) : undefined
        case 'token-refused': return refused.count(target, event.repeated ? 'sent again' : 'given up')
        case 'concurrency': case 'rates': return undefined
      }
    },
    show: (target, sources) => void shown.set(target, sources),
    collect: [
      ...[limits, held, holds, retries, denied, queueFull, opened, refused].map(({ collect }) => collect),
      read('gateway_token_state', 'Whether the access token is fresh, stale (valid, renewal due) or none: 1 for what it is.', () => {
        return [...shown].flatMap(([target, { credential }]) => (['fresh', 'stale', 'none'] as const)
          .map((state) => ({ labels: { target, state }, value: credential().token === state ? 1 : 0 })))
      }),
      each('gateway_token_expiry_seconds', 'Seconds until the access token expires.', ({ credential }) => Math.max(credential().validFor, 0) / 1000),
      each('gateway_token_renewals_total', 'Access tokens fetched.', ({ credential }) => credential().renewals, 'counter'),
      each('gateway_token_failures_total', 'Failed attempts to fetch an access token.', ({ credential }) => credential().failures, 'counter'),
      each('gateway_circuit_open', '1 while connections to Dynamics are given up.', ({ connection }) => connection().circuit === 'open' ? 1 : 0),
      each('gateway_hold_seconds', 'Seconds that nothing is sent for, by Dynamics\' limits.', ({ connection }) => connection().hold / 1000),
      each('gateway_requests_held', 'Requests that wait for Dynamics\' limits.', ({ connection }) => connection().held),
      each('gateway_requests_running', 'Requests that are at Dynamics.', ({ connection }) => connection().running),
      each('gateway_requests_waiting', 'Requests that wait for their turn.', ({ connection }) => connection().waiting),
      each('gateway_concurrency_limit', 'Requests that may be at Dynamics at once.', ({ connection }) => connection().limit),
      each('gateway_remaining_requests', 'Requests that are left, as Dynamics last said.', ({ connection }) => connection().rates?.requests),
      each('gateway_remaining_seconds', 'Seconds of execution that are left, as Dynamics last said.', ({ connection }) => connection().rates?.seconds),
      each('gateway_suggested_parallel', 'Requests at once that Dynamics last suggested.', ({ connection }) => connection().rates?.parallel),
      each('gateway_users_known', 'Users that are remembered.', ({ users }) => users().users),
      each('gateway_users_unknown', 'E-mail addresses that are remembered to mean nobody.', ({ users }) => users().unknown),
    ],
  }
}
