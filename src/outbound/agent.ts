import { Agent, buildConnector } from 'undici'
import type { Dispatcher } from 'undici'

import { NO_PROXIES } from '../config/proxies.ts'
import type { Proxies, Proxy } from '../config/proxies.ts'
import { createPausing } from './pausing.ts'
import { proxyFor } from './proxy-settings.ts'
import { tunnel } from './tunnel.ts'
import type { Tunnel } from './tunnel.ts'

/** The only way out of the process: to Microsoft Entra as to Dynamics 365. */
export interface OutboundAgent {
  /** For requests that may be sent again; its idle connections are kept long. */
  readonly reads: Dispatcher
  /** For requests that must not be sent twice: only connections that were used a moment ago, or new ones. */
  readonly writes: Dispatcher
  /**
   * Whether the connection that a request is just put on was made for it; asked in that moment. Left out: not known.
   */
  readonly isNew?: () => boolean
  /** Ends idle connections at once, the others when their request is over. */
  readonly close: () => Promise<void>
  /** Ends all connections at once, and with them what is under way. */
  readonly destroy: () => Promise<void>
}

export interface AgentOptions {
  readonly connectTimeout: number
  /** Connections to one origin at most, for reads and for writes each. */
  readonly connections: number
  /** The proxies of the network. Left out: there are none. */
  readonly proxies?: Proxies
}

/** Well below the four minutes after which load balancers drop an idle connection without a word. */
const READS_IDLE = 55_000
/** Dynamics hardly ever closes a connection this young, so a write hardly ever meets one that is being closed. */
const WRITES_IDLE = 1_900
/** Heads of Dynamics' answers may be larger than Node's usual 16 KiB. */
const LARGEST_HEAD = 128 * 1024

/** Makes the agent. Certificates are always verified; `NODE_EXTRA_CA_CERTS` adds authorities. */
export function createAgent({ connectTimeout, connections, proxies = NO_PROXIES }: AgentOptions): OutboundAgent {
  const tls = {
    timeout: connectTimeout,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    autoSelectFamily: true,
  } as const
  const direct = buildConnector(tls)
  const tunnels = new Map<Proxy, buildConnector.connector>()
  const proxied: Tunnel[] = []

  const pausing = createPausing()
  let isNew = false
  function connect(options: buildConnector.Options, callback: buildConnector.Callback): void {
    connectThrough(options, (...outcome) => {
      const [, socket] = outcome
      // undici's own connector gives no second argument with an error, whatever its types say.
      if (socket) pausing.adopt(socket)
      // undici puts the first request on a new connection within the callback.
      isNew = true
      callback(...outcome)
      isNew = false
    })
  }

  function connectThrough(options: buildConnector.Options, callback: buildConnector.Callback): void {
    const proxy = proxyFor(options, proxies)
    if (proxy === undefined) return direct(options, callback)
    let through = tunnels.get(proxy)
    if (through === undefined) {
      const made = tunnel(proxy, tls)
      proxied.push(made)
      tunnels.set(proxy, (through = made.connect))
    }
    through(options, callback)
  }

  function agent(idle: number): Agent {
    const made = new Agent({
      connect,
      connections,
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: LARGEST_HEAD,
      keepAliveTimeout: idle,
      keepAliveMaxTimeout: idle,
      keepAliveTimeoutThreshold: 1000,
    })
    pausing.through(made)
    return made
  }
  const reads = agent(READS_IDLE)
  const writes = agent(WRITES_IDLE)
  return {
    reads,
    writes,
    isNew: () => isNew,
    async close() {
      await Promise.all([reads.close(), writes.close()])
      await Promise.all(proxied.map((one) => one.close()))
    },
    async destroy() {
      await Promise.all([reads.destroy(), writes.destroy(), ...proxied.map((one) => one.close())])
    },
  }
}
