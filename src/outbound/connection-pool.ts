import { errors } from 'undici'
import type { Dispatcher, buildConnector } from 'undici'

import { createIdleLifetime } from './idle-lifetime.ts'
import { PausingHandler } from './pausing.ts'
import { PooledConnection } from './pooled-connection.ts'
import type { ConnectionUse, PoolOfConnection } from './pooled-connection.ts'

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

/** How long connections are kept and considered safe, in milliseconds. */
export interface IdleTimes {
  /** Idle connections are closed after this. */
  readonly keep: number
  /** The assumed idle lifetime of a used connection at the server, until it has been measured. */
  readonly assumedUsed: number
  /** The same for a connection that was never used. */
  readonly assumedUnused: number
  /** The reserve is closed after this time without a request. */
  readonly traffic: number
}

/** The values for Dynamics and the network devices in front of it. */
const IDLE_TIMES: IdleTimes = {
  // Well below the four minutes after which load balancers drop an idle connection silently.
  keep: 55_000,
  // Hardly any server closes an idle connection within two seconds.
  assumedUsed: 3_800,
  // Servers allow a new connection at least 20 seconds for its first request.
  assumedUnused: 20_000,
  // A caller with one call a minute may leave one out.
  traffic: 150_000,
}

/** A connection is opened in advance only if it is safe for at least this time, in milliseconds. */
const MIN_SAFE_MS = 250
/** The most reserve connections that are opened in a row without a request. */
const MAX_RENEWALS = 15
/** The reserve is renewed after this share of its safe time, so that the next one is open in time. */
const RENEW_AFTER = 0.8
/**
 * When a request has taken the last connection that a write could use, a new one is opened after this time, in
 * milliseconds: most requests have ended by then, and their connection is free again.
 */
const RESERVE_DELAY_MS = 250
/**
 * Connections that have been idle for less than this, in milliseconds, take turns: a connection that is used again at
 * once costs up to 15 % more CPU per request (docs/decisions/warm-connections.md). Surplus connections leave the
 * rotation, and are closed after `keep`.
 */
const ROTATION_MS = 100
/** The time between two checks of the reserve, in milliseconds, while there is traffic. */
const MIN_TICK_MS = 50
const MAX_TICK_MS = 5000
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
  let isDestroyed = false
  let keepers = 0
  let lastRequest = -Infinity
  let renewals = 0
  /** Whether a connection failed, so that none is opened in advance until a request succeeds. */
  let isUnreachable = false
  let timer: NodeJS.Timeout | undefined
  let tickAt = Infinity

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
      isUnreachable = !succeeded
      if (!succeeded && connection.isIdle) remove(connection)
    },
    onFree(connection) {
      idle.push(connection)
      sendWaiting()
    },
    onClosed(connection) {
      remove(connection)
      keepReserve(performance.now())
      sendWaiting()
    },
  }

  return {
    dispatch,
    keepWarm() {
      keepers++
      lastRequest = performance.now()
      keepReserve(lastRequest)
      return () => {
        keepers--
        dropUnused(performance.now())
      }
    },
    async destroy() {
      isDestroyed = true
      clearTimeout(timer)
      for (const { handler } of queue.splice(0)) handler.onError?.(new errors.ClientDestroyedError())
      await Promise.all(Array.from(connections, (connection) => connection.destroy()))
    },
  }

  function dispatch(isRepeatable: boolean, options: PoolRequest, handler: PoolHandler): void {
    if (isDestroyed) return void handler.onError?.(new errors.ClientDestroyedError())
    if (options.signal?.aborted === true) return void handler.onError?.(options.signal.reason as Error)
    lastRequest = performance.now()
    renewals = 0
    if (queue.length > 0 || !send(isRepeatable, options, handler, lastRequest)) {
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
    const connection = (isRepeatable ? forRead(now) : forWrite(now)) ?? addConnection()
    if (connection === undefined) return false
    if (idle.at(-1) === connection) idle.pop()
    else removeFrom(idle, connection)
    connection.take(now, options.idempotent === true)
    connection.client.dispatch(
      withoutTimeouts(options),
      new PausingHandler(handler, connection, options, sendElsewhere),
    )
    connection.settle()
    if (connection.isUnused) keepReserve(now)
    else if (mayNeedReserve(now)) tickIn(RESERVE_DELAY_MS, now)
    return true
  }

  /** Whether a write may find no connection soon: the tick looks closely. One that has just become idle is enough. */
  function mayNeedReserve(now: number): boolean {
    const youngest = idle.at(-1)
    return (youngest === undefined || now - youngest.idleSince >= RESERVE_DELAY_MS) && hasTraffic(now)
  }

  function sendWaiting(): void {
    while (queue.length > 0 && !isDestroyed) {
      // A request that fails at once frees its connection inside `send`, which calls this function again.
      const first = queue.shift()!
      const { isRepeatable, options, handler } = first
      if (!send(isRepeatable, options, handler, performance.now())) return void queue.unshift(first)
    }
  }

  /**
   * A connection in rotation if it is safe, otherwise the one that is least likely to be closed by the server: the last
   * used one, or the last opened one.
   */
  function forWrite(now: number): PooledConnection | undefined {
    const next = nextInRotation(Math.min(ROTATION_MS, lifetimes.used.safe()), now)
    if (next !== undefined) return next
    for (const one of idle) one.lifetime.open(now - one.idleSince)
    const safeTime = safeTimeOf()
    let best: PooledConnection | undefined
    for (const one of idle) {
      const isSafe = one.isOpening || one.idleSince + safeTime(one) > now
      if (isSafe && (best === undefined || isBetterForWrite(one, best))) best = one
    }
    return best
  }

  /**
   * A connection in rotation, otherwise the one that was used last, so that the others can be closed. A connection with
   * an idle time that has not been tested yet is preferred: this request may be retried, so it can test it.
   */
  function forRead(now: number): PooledConnection | undefined {
    const oldest = idle.find(isUsed)
    if (oldest === undefined) return idle.reduce<PooledConnection | undefined>(betterUnused, undefined)
    if (lifetimes.used.isUnproven(now - oldest.idleSince)) return oldest
    return nextInRotation(ROTATION_MS, now) ?? idle.findLast(isUsed)
  }

  /** Of the used connections that have been idle for less than `ms`, the one that has been idle for longest. */
  function nextInRotation(ms: number, now: number): PooledConnection | undefined {
    // They are in the order in which they became idle: under load it is the first one.
    for (const one of idle) if (!one.isUnused && now - one.idleSince < ms) return one
    return undefined
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

  /** Opens a connection in advance, if no idle one stays safe for a write for some time. */
  function keepReserve(now: number): void {
    if (!hasTraffic(now)) return
    tickIn(Math.min(Math.max(renewAt() - now, MIN_TICK_MS), MAX_TICK_MS), now)
    const safe = lifetimes.unused.safe()
    if (isUnreachable || safe < MIN_SAFE_MS || renewals >= MAX_RENEWALS || connections.size >= limit) return
    if (renewAt() > now) return
    renewals++
    const reserve = addConnection()!
    idle.push(reserve)
    reserve.openAhead()
  }

  function tickIn(delay: number, now: number): void {
    if (tickAt <= now + delay) return
    clearTimeout(timer)
    tickAt = now + delay
    timer = setTimeout(onTick, delay).unref()
  }

  function onTick(): void {
    tickAt = Infinity
    const now = performance.now()
    for (const one of idle) one.lifetime.open(now - one.idleSince)
    dropUnused(now)
    keepReserve(now)
  }

  function dropUnused(now: number): void {
    const end = hasTraffic(now) ? now - idleTimes.keep : Infinity
    for (const one of idle.filter((one) => one.isUnused && one.idleSince < end)) remove(one)
  }

  function hasTraffic(now: number): boolean {
    return keepers > 0 && !isDestroyed && now - lastRequest < idleTimes.traffic
  }

  /** When a new reserve is needed: when all idle connections are nearly too old for a write. */
  function renewAt(): number {
    const safeTime = safeTimeOf()
    let latest = -Infinity
    for (const one of idle) {
      latest = Math.max(latest, one.isOpening ? Infinity : one.idleSince + RENEW_AFTER * safeTime(one))
    }
    return latest
  }

  /** The longest idle time after which a connection may be used for a write. */
  function safeTimeOf(): (one: PooledConnection) => number {
    const used = lifetimes.used.safe()
    const unused = lifetimes.unused.safe()
    return (one) => (one.isUnused ? unused : used)
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

/** Prefers used connections to keep the reserve, then open ones, then younger ones. */
function isBetterForWrite(one: PooledConnection, other: PooledConnection): boolean {
  if (one.isUnused !== other.isUnused) return other.isUnused
  return one.isOpen === other.isOpen ? one.idleSince > other.idleSince : one.isOpen
}

function isUsed({ isUnused }: PooledConnection): boolean {
  return !isUnused
}

/** The oldest open connection: the young ones are for writes. */
function betterUnused(one: PooledConnection | undefined, other: PooledConnection): PooledConnection {
  if (one === undefined || one.isOpen !== other.isOpen) return one?.isOpen === true ? one : other
  return one.idleSince <= other.idleSince ? one : other
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
