import { safeTimeOf } from './choose-connection.ts'
import type { IdleConnections } from './choose-connection.ts'
import type { IdleLifetimes } from './idle-lifetime.ts'
import type { IdleTimes } from './idle-times.ts'
import type { PooledConnection } from './pooled-connection.ts'

/** While there is traffic, keeps an idle connection that is safe for a write: docs/decisions/warm-connections.md. */
export interface Reserve {
  /** Keeps a connection in reserve. The call counts as traffic. Call the result to end it. */
  readonly keepWarm: () => () => void
  /** A request has arrived. */
  readonly onRequest: (now: number) => void
  /** A request has taken `connection`. */
  readonly onTaken: (connection: PooledConnection, now: number) => void
  /** A connection was opened, or could not be. */
  readonly onOpened: (succeeded: boolean) => void
  /** A connection was closed. */
  readonly onClosed: (now: number) => void
  /** No connection is opened in advance from now on. */
  readonly stop: () => void
}

/** What the reserve needs from its pool. */
export interface PoolOfReserve {
  readonly idle: IdleConnections
  readonly lifetimes: IdleLifetimes
  readonly idleTimes: IdleTimes
  /** Whether no further connection may be opened. */
  readonly isFull: () => boolean
  /** Opens an idle connection. */
  readonly openAhead: () => void
  readonly remove: (connection: PooledConnection) => void
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
/** The time between two checks of the reserve, in milliseconds, while there is traffic. */
const MIN_TICK_MS = 50
const MAX_TICK_MS = 5000

/** Makes the reserve of a pool. */
export function createReserve({ idle, lifetimes, idleTimes, isFull, openAhead, remove }: PoolOfReserve): Reserve {
  let keepers = 0
  let lastRequest = -Infinity
  let renewals = 0
  /** Whether a connection failed, so that none is opened in advance until one is opened for a request. */
  let isUnreachable = false
  let isStopped = false
  let timer: NodeJS.Timeout | undefined
  let tickAt = Infinity

  return {
    keepWarm() {
      keepers++
      lastRequest = performance.now()
      replenish(lastRequest)
      return () => {
        keepers--
        dropUnused(performance.now())
      }
    },
    onRequest(now) {
      lastRequest = now
      renewals = 0
    },
    onTaken(connection, now) {
      if (connection.isUnused) return replenish(now)
      // One that has just become idle is enough. Otherwise the tick looks closely.
      const youngest = idle.at(-1)
      const isEnough = youngest !== undefined && now - youngest.idleSince < RESERVE_DELAY_MS
      if (!isEnough && hasTraffic(now)) tickIn(RESERVE_DELAY_MS, now)
    },
    onOpened(succeeded) {
      isUnreachable = !succeeded
    },
    onClosed: replenish,
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }

  /** Opens a connection in advance, if no idle one stays safe for a write for some time. */
  function replenish(now: number): void {
    if (!hasTraffic(now)) return
    tickIn(Math.min(Math.max(renewAt() - now, MIN_TICK_MS), MAX_TICK_MS), now)
    if (isUnreachable || lifetimes.unused.safe() < MIN_SAFE_MS || renewals >= MAX_RENEWALS || isFull()) return
    if (renewAt() > now) return
    renewals++
    openAhead()
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
    replenish(now)
  }

  function dropUnused(now: number): void {
    const end = hasTraffic(now) ? now - idleTimes.keep : Infinity
    for (const one of idle.filter((one) => one.isUnused && one.idleSince < end)) remove(one)
  }

  function hasTraffic(now: number): boolean {
    return keepers > 0 && !isStopped && now - lastRequest < idleTimes.traffic
  }

  /** When a new reserve is needed: when all idle connections are nearly too old for a write. */
  function renewAt(): number {
    const safeTime = safeTimeOf(lifetimes)
    let latest = -Infinity
    for (const one of idle) {
      latest = Math.max(latest, one.isOpening ? Infinity : one.idleSince + RENEW_AFTER * safeTime(one))
    }
    return latest
  }
}
