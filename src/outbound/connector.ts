import type { buildConnector } from 'undici'

import type { Proxies, Proxy } from '../config/proxies.ts'
import { proxyFor } from './proxy-settings.ts'
import { resumeSessions } from './tls-sessions.ts'
import type { ConnectSettings } from './tls-sessions.ts'
import { tunnel } from './tunnel.ts'
import type { Tunnel } from './tunnel.ts'

/** Opens connections, directly or through the network's proxies. */
export interface Connector {
  readonly connect: buildConnector.connector
  /** Ends connections to the proxies. */
  readonly close: () => Promise<unknown>
}

export function createConnector(settings: ConnectSettings, proxies: Proxies): Connector {
  const direct = resumeSessions(settings)
  const tunnels = new Map<Proxy, Tunnel>()
  return {
    connect(options, callback) {
      const proxy = proxyFor(options, proxies)
      if (proxy === undefined) return direct(options, callback)
      let through = tunnels.get(proxy)
      if (through === undefined) tunnels.set(proxy, (through = tunnel(proxy, settings)))
      through.connect(options, callback)
    },
    close: () => Promise.all(Array.from(tunnels.values(), (one) => one.close())),
  }
}
