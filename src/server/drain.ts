import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as NetServer } from 'node:net'
import type { Socket } from 'node:net'

/** Long enough for a request that was already on its way on an idle connection, in milliseconds. */
const IDLE_GRACE_MS = 300

/** Durations of the shutdown steps, in milliseconds. */
export interface DrainTimes {
  /** How long new connections and requests are still served, until load balancers notice. */
  readonly delay: number
  /** How long running requests may take after that. */
  readonly timeout: number
  /** How long an idle connection may still bring a request once no new ones are accepted. */
  readonly idleGrace?: number
}

/** What the shutdown ends. */
interface Draining {
  readonly server: Server
  /** Makes the gateway not ready, and closes connections after their current request. */
  readonly stop: () => void
  /** Closes the parts behind the server, when no request is running. */
  readonly close: () => Promise<void>
}

/**
 * The shutdown of a gateway. First `next`: it is not ready, and for `delay` it still accepts and serves, with
 * `Connection: close` on every response. Then it accepts no more, and running requests finish, for `timeout` at most.
 * Second `next`: everything ends at once.
 */
export function drainOf(
  { server, stop, close }: Draining,
  { delay, timeout, idleGrace = IDLE_GRACE_MS }: DrainTimes,
): {
  readonly finished: Promise<void>
  readonly next: () => void
} {
  const { promise: finished, resolve } = withResolvers()
  let ending: NodeJS.Timeout | undefined
  let closing = false
  const connections = new Set<Socket>()
  server.on('connection', (socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  return {
    finished,
    next: () => {
      if (ending === undefined) {
        stop()
        // Also for responses that the proxy does not write, such as errors and probes.
        for (const event of ['request', 'checkContinue']) server.prependListener(event, closeAfter)
        ending = setTimeout(end, delay)
      } else {
        clearTimeout(ending)
        end()
        server.closeAllConnections()
      }
    },
  }

  function end(): void {
    if (closing) return
    closing = true
    const forceTimer = setTimeout(() => server.closeAllConnections(), timeout)
    onceAllAreAccepted(server, idleGrace, () => {
      // The server's own `close` would also end connections that were accepted a moment ago, and whose request
      // is on its way.
      NetServer.prototype.close.call(server, () => {
        clearTimeout(forceTimer)
        clearTimeout(idle)
        server.close() // what it does beyond: its timer ends
        close().then(resolve, resolve)
      })
    })
    const idle = setTimeout(() => {
      server.closeIdleConnections()
      // Node does not count connections as idle that never sent anything.
      for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
    }, idleGrace)
  }
}

/**
 * Calls back when no connection waits to be accepted, because the system would reset those; after `longest` also when
 * more and more come.
 */
function onceAllAreAccepted(server: Server, longest: number, callback: () => void): void {
  const until = performance.now() + longest
  let accepted = true
  server.on('connection', () => {
    accepted = true
  })
  // Node accepts one connection in each turn of its loop.
  setImmediate(function turn() {
    if (!accepted || performance.now() > until) return callback()
    accepted = false
    setImmediate(turn)
  })
}

/** Makes Node send `Connection: close` and close the connection after the response. */
function closeAfter(_request: IncomingMessage, response: ServerResponse): void {
  response.shouldKeepAlive = false
}

/** @until Node 22, which has `Promise.withResolvers` */
function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((resolved) => {
    resolve = resolved
  })
  return { promise, resolve }
}
