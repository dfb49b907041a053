import type { TokenState } from '../credentials/credential.ts'
import type { ConnectionState } from '../dynamics/connect.ts'
import type { SharedState } from '../replicas/shared-state.ts'
import { read } from './series.ts'
import type { Collect } from './series.ts'
import { folded } from './target-labels.ts'
import type { Fold } from './target-labels.ts'

/** The state of one target that a scrape reads. */
export interface Sources {
  readonly credential: () => TokenState
  readonly connection: () => ConnectionState
  readonly users: () => { readonly users: number; readonly unknown: number }
  readonly sharing: SharedState['status']
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

/**
 * The state of all targets at a scrape.
 *
 * @param byLabel the targets by their label, which several can share
 */
export function targetGauges(byLabel: ReadonlyMap<string, readonly Sources[]>): readonly Collect[] {
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
      () => [...byLabel].map(([target, of]) => ({ labels: { target }, value: folded(of.map(value), FOLDS[name]) })),
      type,
    )
  }
  /** A value of each target's token. */
  function ofToken(name: string, help: string, value: (state: TokenState) => number, type?: 'counter'): Collect {
    return each(name, help, ({ credential }) => value(credential()), type)
  }
  /** A value of each target's connection. */
  function ofConnection(name: string, help: string, value: (state: ConnectionState) => number | undefined): Collect {
    return each(name, help, ({ connection }) => value(connection()))
  }

  return [
    read(
      'gateway_token_state',
      'State of the access token: 1 for the current one of fresh, stale (renewal due) and none.',
      () => {
        return [...byLabel].flatMap(([target, of]) =>
          TOKENS.map((state) => ({
            labels: { target, state },
            value: of.some(({ credential }) => credential().token === state) ? 1 : 0,
          })),
        )
      },
    ),
    ofToken(
      'gateway_token_expiry_seconds',
      'Seconds until the access token expires.',
      ({ validFor }) => Math.max(validFor, 0) / 1000,
    ),
    each('gateway_credential_expiry_seconds', 'Seconds until the credential expires, if known.', (sources) => {
      const { credentialEnds } = sources.credential()
      return credentialEnds === undefined ? undefined : Math.round((credentialEnds - Date.now()) / 1000)
    }),
    ofToken('gateway_token_renewals_total', 'Tokens fetched.', ({ renewals }) => renewals, 'counter'),
    ofToken(
      'gateway_token_failures_total',
      'Failed fetches of an access token.',
      ({ failures }) => failures,
      'counter',
    ),
    ofConnection('gateway_circuit_open', '1 while the circuit breaker is open.', ({ circuit }) =>
      circuit === 'open' ? 1 : 0,
    ),
    ofConnection(
      'gateway_hold_seconds',
      'Seconds until the end of the pause by a service protection limit.',
      ({ pauseMs }) => pauseMs / 1000,
    ),
    ofConnection(
      'gateway_requests_held',
      'Requests waiting for the end of a pause.',
      ({ waitingForPause }) => waitingForPause,
    ),
    ofConnection('gateway_requests_running', 'Requests in progress at Dynamics.', ({ running }) => running),
    ofConnection('gateway_requests_waiting', 'Requests in the queue.', ({ waiting }) => waiting),
    ofConnection(
      'gateway_background_requests_waiting',
      'Background requests in the queue.',
      ({ waitingInBackground }) => waitingInBackground,
    ),
    ofConnection('gateway_concurrency_limit', 'Limit of concurrent requests to Dynamics.', ({ limit }) => limit),
    ofConnection(
      'gateway_remaining_requests',
      'Remaining requests reported by Dynamics.',
      ({ rates }) => rates?.requests,
    ),
    ofConnection(
      'gateway_remaining_seconds',
      'Remaining execution time reported by Dynamics, in seconds.',
      ({ rates }) => rates?.seconds,
    ),
    ofConnection(
      'gateway_suggested_parallel',
      'Degree of parallelism suggested by Dynamics.',
      ({ rates }) => rates?.parallel,
    ),
    each('gateway_users_known', 'Cached users.', ({ users }) => users().users),
    each('gateway_users_unknown', 'Cached e-mail addresses without a user.', ({ users }) => users().unknown),
    each('gateway_replicas', 'Living replicas that share what they know.', ({ sharing }) => sharing()?.replicas),
    each('gateway_replica_alone', '1 while Redis cannot be used, and the replica works alone.', ({ sharing }) => {
      const status = sharing()
      return status === undefined ? undefined : Number(status.disconnectedReason !== undefined)
    }),
  ]
}
