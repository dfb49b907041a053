import { Dispatcher } from 'undici'

import { NO_PROXIES } from '../config/proxies.ts'
import type { Proxies } from '../config/proxies.ts'
import { createConnectionPool } from './connection-pool.ts'
import type { ConnectionPool } from './connection-pool.ts'
import { createConnector } from './connector.ts'
import type { IdleTimes } from './idle-times.ts'
import type { ConnectionUse } from './pooled-connection.ts'

/** The agent for all requests to Microsoft Entra and Dynamics 365. */
export interface OutboundAgent {
  /**
   * For requests that may be retried, on any connection. The caller retries them. With undici's option
   * `idempotent: true` the agent itself repeats a request once, if a connection that was not new broke before the
   * response: the server was most likely just closing it. Its body must be text or a buffer. With `idempotent: false`
   * a request is sent like one of `writes`.
   */
  readonly reads: Dispatcher
  /** For requests that must not be retried: only on connections that the server is not about to close. */
  readonly writes: Dispatcher
  /** How the request that is just being sent got its connection. Left out: not known. */
  readonly connectionUse?: () => ConnectionUse
  /**
   * Opens a connection to `origin` in advance, and keeps one in reserve while there is traffic. Call the result to end
   * this. Left out: no connection is kept in reserve.
   */
  readonly keepWarm?: (origin: string) => () => void
  /** Ends all connections and the requests on them at once. */
  readonly destroy: () => Promise<void>
}

export interface AgentOptions {
  readonly connectTimeout: number
  /** The most connections to one origin. */
  readonly connections: number
  /** The network's proxies. Left out: there are none. */
  readonly proxies?: Proxies
  /** Left out: the values for Dynamics. */
  readonly idleTimes?: IdleTimes
}

/** Makes the agent. Certificates are always verified; `NODE_EXTRA_CA_CERTS` adds authorities. */
export function createAgent({
  connectTimeout,
  connections,
  proxies = NO_PROXIES,
  idleTimes,
}: AgentOptions): OutboundAgent {
  const connector = createConnector(
    { timeout: connectTimeout, minVersion: 'TLSv1.2', rejectUnauthorized: true, autoSelectFamily: true },
    proxies,
  )
  const pools = new Map<string, ConnectionPool>()
  let isDestroyed = false
  let use: ConnectionUse = 'new'
  function onSend(ofRequest: ConnectionUse): void {
    use = ofRequest
  }

  function poolOf(origin: string): ConnectionPool {
    let pool = pools.get(origin)
    if (pool === undefined) {
      const { connect } = connector
      pool = createConnectionPool(new URL(origin), { connect, limit: connections, onSend, idleTimes })
      pools.set(origin, pool)
      if (isDestroyed) void pool.destroy()
    }
    return pool
  }

  return {
    reads: new PooledDispatcher(poolOf, true),
    writes: new PooledDispatcher(poolOf, false),
    connectionUse: () => use,
    keepWarm: (origin) => poolOf(origin).keepWarm(),
    async destroy() {
      isDestroyed = true
      await Promise.all(Array.from(pools.values(), (pool) => pool.destroy()))
      await connector.close()
    },
  }
}

/** undici's interface to the pools, for requests that may be retried, or for those that must not. */
class PooledDispatcher extends Dispatcher {
  readonly #poolOf: (origin: string) => ConnectionPool
  readonly #isRepeatable: boolean

  constructor(poolOf: (origin: string) => ConnectionPool, isRepeatable: boolean) {
    super()
    this.#poolOf = poolOf
    this.#isRepeatable = isRepeatable
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const isRepeatable = this.#isRepeatable && options.idempotent !== false
    this.#poolOf(String(options.origin)).dispatch(isRepeatable, options, handler)
    return true
  }
}
