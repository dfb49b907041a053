import type { IdleLifetimes } from './idle-lifetime.ts'
import type { PooledConnection } from './pooled-connection.ts'

/**
 * Connections that have been idle for less than this, in milliseconds, take turns: a connection that is used again at
 * once costs up to 15 % more CPU per request (docs/decisions/warm-connections.md). Surplus connections leave the
 * rotation, and are closed when they have been idle for long enough.
 */
const ROTATION_MS = 100

/** Connections that carry no request, in the order in which they became idle. */
export type IdleConnections = readonly PooledConnection[]

/**
 * For a request that must not be retried: a connection in rotation if it is safe, otherwise the one that is least
 * likely to be closed by the server: the last used one, or the last opened one.
 */
export function connectionForWrite(
  idle: IdleConnections,
  lifetimes: IdleLifetimes,
  now: number,
): PooledConnection | undefined {
  const next = nextInRotation(idle, Math.min(ROTATION_MS, lifetimes.used.safe()), now)
  if (next !== undefined) return next
  for (const one of idle) one.lifetime.open(now - one.idleSince)
  const safeTime = safeTimeOf(lifetimes)
  let best: PooledConnection | undefined
  for (const one of idle) {
    const isSafe = one.isOpening || one.idleSince + safeTime(one) > now
    if (isSafe && (best === undefined || isBetterForWrite(one, best))) best = one
  }
  return best
}

/**
 * For a request that may be retried: a connection in rotation, otherwise the one that was used last, so that the others
 * can be closed. A connection with an idle time that has not been tested yet is preferred, because this request can
 * test it.
 */
export function connectionForRead(
  idle: IdleConnections,
  lifetimes: IdleLifetimes,
  now: number,
): PooledConnection | undefined {
  const oldest = idle.find(isUsed)
  if (oldest === undefined) return idle.reduce<PooledConnection | undefined>(betterUnused, undefined)
  if (lifetimes.used.isUnproven(now - oldest.idleSince)) return oldest
  return nextInRotation(idle, ROTATION_MS, now) ?? idle.findLast(isUsed)
}

/** The longest idle time after which a connection may be used for a write. */
export function safeTimeOf(lifetimes: IdleLifetimes): (one: PooledConnection) => number {
  const used = lifetimes.used.safe()
  const unused = lifetimes.unused.safe()
  return (one) => (one.isUnused ? unused : used)
}

/** Of the used connections that have been idle for less than `ms`, the one that has been idle for longest. */
function nextInRotation(idle: IdleConnections, ms: number, now: number): PooledConnection | undefined {
  // They are in the order in which they became idle: under load it is the first one.
  for (const one of idle) if (!one.isUnused && now - one.idleSince < ms) return one
  return undefined
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
