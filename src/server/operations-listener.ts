import type { RequestListener, Server } from 'node:http'
import type { Socket } from 'node:net'

import type { Settings } from '../config/schema.ts'
import { inboundServer } from './server.ts'

type ListenerSettings = Pick<Settings, 'headTimeout' | 'bodyTimeout'>

type Log = Parameters<typeof inboundServer>[1]

/** The only paths of the second address. */
const SERVED_PATHS = /^\/-\/(?:livez|readyz|metrics)(?:\?|$)/

/** Probes and scrapes come one at a time. */
const MAX_CONNECTIONS = 64

const connections = new WeakSet<Socket>()

/**
 * A server for probes and Prometheus besides a gateway on loopback: `/-/livez`, `/-/readyz` and `/-/metrics`
 * of `handler`, without callers and without TLS. Whatever else is asked for does not exist there.
 */
export function operationsServer(settings: ListenerSettings, log: Log, handler: RequestListener): Server {
  const server = inboundServer(
    { ...settings, maxConnections: MAX_CONNECTIONS, tls: undefined, callers: [] },
    log,
    (request, response) => {
      if (!SERVED_PATHS.test(request.url!)) request.url = '/-/nothing'
      handler(request, response)
    },
  )
  return server.on('connection', (socket) => void connections.add(socket))
}

/** Whether a request came to that address. */
export function onOperationsListener({ socket }: { readonly socket: Socket }): boolean {
  return connections.has(socket)
}
