import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import type { Socket } from 'node:net'

/** Long enough for a request that was on its way when the gateway was told to stop. */
const LINGER = 300

/** What has to be ended. */
interface Draining {
  readonly server: Server
  /** Makes the gateway not ready, and lets connections end with the request that they carry. */
  readonly stop: () => void
  /** Ends what is behind the server, once no request is running. */
  readonly close: () => Promise<void>
}

/**
 * How a gateway ends. First `next`: not ready; connections end with the request that they carry; running requests
 * finish, for `patience` milliseconds at most. Second `next`: at once.
 *
 * @param linger how long new connections may still come, and those that carry no request may bring one
 */
export function drainOf(
  { server, stop, close }: Draining,
  patience: number,
  linger = LINGER,
): {
  readonly over: Promise<void>
  readonly next: () => void
} {
  const { promise: over, resolve } = withResolvers()
  let ending: NodeJS.Timeout | undefined
  let closing = false
  const connections = new Set<Socket>()
  server.on('connection', (socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  return {
    over,
    next: () => {
      if (ending === undefined) {
        stop()
        ending = setTimeout(end, linger)
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
    const late = setTimeout(() => server.closeAllConnections(), patience)
    onceAllAreAccepted(server, linger, () => {
      // The server's own `close` would also end connections that were accepted a moment ago, and whose request
      // is on its way.
      NetServer.prototype.close.call(server, () => {
        clearTimeout(late)
        clearTimeout(idle)
        server.close() // what it does beyond: its timer ends
        close().then(resolve, resolve)
      })
    })
    const idle = setTimeout(() => {
      server.closeIdleConnections()
      // Node does not count those as idle that never said anything.
      for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
    }, linger)
  }
}

/**
 * Calls back when no connection waits to be accepted, for the system resets those; after `longest` also when
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

/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((resolved) => {
    resolve = resolved
  })
  return { promise, resolve }
}
