import { errors } from 'undici'
import type { Dispatcher, buildConnector } from 'undici'

import { connectionForRead, connectionForWrite } from './choose-connection.ts'
import { createIdleLifetime } from './idle-lifetime.ts'
import { IDLE_TIMES } from './idle-times.ts'
import type { IdleTimes } from './idle-times.ts'
import { PausingHandler } from './pausing.ts'
import { PooledConnection } from './pooled-connection.ts'
import type { ConnectionUse, PoolOfConnection } from './pooled-connection.ts'
import { createReserve } from './reserve.ts'

/** The connections to one origin. */
export interface ConnectionPool {
  /**
   * Sends a request that may be retried on any connection, and any other request only on a safe one. With
   * `idempotent: true` it is repeated once if a connection that was not new breaks before the response.
   */
  readonly dispatch: (isRepeatable: boolean, options: PoolRequest, handler: PoolHandler) => void
  /** Keeps a connection in reserve while there is traffic. The call counts as traffic. Call the result to end it. */
  readonly keepWarm: () => () => void
  readonly destroy: () => Promise<void>
}

/** The options of a request. undici's methods pass their `signal` on, but observe it only on a connection. */
export interface PoolRequest extends Dispatcher.DispatchOptions {
  /** Ends the wait for a connection. */
  readonly signal?: AbortSignal | undefined
}

/** A handler that may end the wait of its request without an AbortSignal. */
export interface PoolHandler extends Dispatcher.DispatchHandler {
  /** All connections are in use. `leave` removes the request and calls `onError`, unless it is on a connection by then. */
  onQueued?: (leave: (reason: Error) => void) => void
}

/** Heads of Dynamics' responses may be larger than Node's usual 16 KiB. */
const MAX_HEAD_BYTES = 128 * 1024

interface PoolOptions {
  readonly connect: buildConnector.connector
  /** The most connections. */
  readonly limit: number
  /** Called when a request is assigned to a connection. */
  readonly onSend: (use: ConnectionUse) => void
  readonly idleTimes?: IdleTimes | undefined
}

interface Waiting {
  readonly isRepeatable: boolean
  readonly options: PoolRequest
  readonly handler: PoolHandler
}

/**
 * Makes the pool of `origin`. undici's own pool uses the first free connection in its list, even if it has been idle
 * for long or is not open. This pool chooses a connection by its state.
 */
export function createConnectionPool(
  origin: URL,
  { connect, limit, onSend, idleTimes = IDLE_TIMES }: PoolOptions,
): ConnectionPool {
  const connections = new Set<PooledConnection>()
  const idle: PooledConnection[] = []
  const queue: Waiting[] = []
  const lifetimes = {
    used: createIdleLifetime(idleTimes.assumedUsed),
    unused: createIdleLifetime(idleTimes.assumedUnused),
  }
  const reserve = createReserve({
    idle,
    lifetimes,
    idleTimes,
    isFull: () => connections.size >= limit,
    openAhead() {
      const added = addConnection()!
      idle.push(added)
      added.openAhead()
    },
    remove,
  })
  let isDestroyed = false

  const pool: PoolOfConnection = {
    destination: destinationOf(origin),
    connect,
    clientOptions: {
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: MAX_HEAD_BYTES,
      keepAliveTimeout: idleTimes.keep,
      keepAliveMaxTimeout: idleTimes.keep,
      keepAliveTimeoutThreshold: 1000,
    },
    lifetimes,
    onSend,
    onOpened(connection, succeeded) {
      reserve.onOpened(succeeded)
      if (!succeeded && connection.isIdle) remove(connection)
    },
    onFree(connection) {
      idle.push(connection)
      sendWaiting()
    },
    onClosed(connection) {
      remove(connection)
      reserve.onClosed(performance.now())
      sendWaiting()
    },
  }

  return {
    dispatch,
    keepWarm: reserve.keepWarm,
    async destroy() {
      isDestroyed = true
      reserve.stop()
      for (const { handler } of queue.splice(0)) handler.onError?.(new errors.ClientDestroyedError())
      await Promise.all(Array.from(connections, (connection) => connection.destroy()))
    },
  }

  function dispatch(isRepeatable: boolean, options: PoolRequest, handler: PoolHandler): void {
    if (isDestroyed) return void handler.onError?.(new errors.ClientDestroyedError())
    if (options.signal?.aborted === true) return void handler.onError?.(options.signal.reason as Error)
    const now = performance.now()
    reserve.onRequest(now)
    if (queue.length > 0 || !send(isRepeatable, options, handler, now)) {
      enqueue({ isRepeatable, options, handler })
    }
  }

  /** The cause of a failure may affect other connections too, so the request takes a safe one, and is not repeated again. */
  function sendElsewhere(options: PoolRequest, handler: PoolHandler): void {
    dispatch(false, { ...options, idempotent: false }, handler)
  }

  function enqueue(waiting: Waiting): void {
    const { signal } = waiting.options
    queue.push(waiting)
    waiting.handler.onQueued?.(leave)
    signal?.addEventListener('abort', () => leave(signal.reason as Error), { once: true })

    function leave(reason: Error): void {
      if (removeFrom(queue, waiting)) waiting.handler.onError?.(reason)
    }
  }

  /** Assigns a request to a connection. Returns `false` if none is free and no more may be opened. */
  function send(isRepeatable: boolean, options: PoolRequest, handler: PoolHandler, now: number): boolean {
    const choose = isRepeatable ? connectionForRead : connectionForWrite
    const connection = choose(idle, lifetimes, now) ?? addConnection()
    if (connection === undefined) return false
    if (idle.at(-1) === connection) idle.pop()
    else removeFrom(idle, connection)
    connection.take(now, options.idempotent === true)
    connection.client.dispatch(
      withoutTimeouts(options),
      new PausingHandler(handler, connection, options, sendElsewhere),
    )
    connection.settle()
    reserve.onTaken(connection, now)
    return true
  }

  function sendWaiting(): void {
    while (queue.length > 0 && !isDestroyed) {
      // A request that fails at once frees its connection inside `send`, which calls this function again.
      const first = queue.shift()!
      const { isRepeatable, options, handler } = first
      if (!send(isRepeatable, options, handler, performance.now())) return void queue.unshift(first)
    }
  }

  function addConnection(): PooledConnection | undefined {
    if (connections.size >= limit) {
      // A connection that is too old for this request is closed to make room.
      if (idle.length === 0) return undefined
      remove(idle[0]!)
    }
    const added = new PooledConnection(pool)
    connections.add(added)
    return added
  }

  function remove(connection: PooledConnection): void {
    if (!connections.delete(connection)) return
    removeFrom(idle, connection)
    void connection.destroy()
  }
}

/**
 * The options for undici: the handler has the timeouts, because those of undici count pauses. The copy is changed by
 * assignments: a member after `...` is a call into V8's runtime (docs/decisions/cost-of-a-request.md).
 */
function withoutTimeouts(options: PoolRequest): PoolRequest {
  const copy = { ...options }
  copy.headersTimeout = 0
  copy.bodyTimeout = 0
  return copy
}

function removeFrom<T>(list: T[], item: T): boolean {
  const index = list.indexOf(item)
  if (index < 0) return false
  // Not `splice`: it creates an array of the removed items, and frees the space that the next `push` needs.
  for (let next = index + 1; next < list.length; next++) list[next - 1] = list[next]!
  list.pop()
  return true
}

function destinationOf({ protocol, host, hostname, port }: URL): buildConnector.Options {
  return { protocol, host, hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port }
}
