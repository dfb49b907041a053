import type { Server } from 'node:http'

/** How long connections that carry no request may still bring one after the gateway was told to stop. */
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
 */
export function drainOf({ server, stop, close }: Draining, patience: number): { readonly over: Promise<void>, readonly next: () => void } {
  const { promise: over, resolve } = withResolvers()
  let linger: NodeJS.Timeout | undefined
  let closing = false
  return {
    over,
    next: () => {
      if (linger === undefined) {
        stop()
        linger = setTimeout(end, LINGER)
      } else {
        clearTimeout(linger)
        end()
        server.closeAllConnections()
      }
    },
  }

  function end(): void {
    if (closing) return
    closing = true
    const late = setTimeout(() => server.closeAllConnections(), patience)
    server.close(() => {
      clearTimeout(late)
      close().then(resolve, resolve)
    })
    server.closeIdleConnections()
  }
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers(): { readonly promise: Promise<void>, readonly resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((resolved) => { resolve = resolved })
  return { promise, resolve }
}
