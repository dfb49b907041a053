import { spanOf, systemClock } from './clock.ts'
import type { Clock, Span } from './clock.ts'
import type { FetchedToken } from './credential.ts'
import { lifeOf } from './token-life.ts'

/** A person's session with an app, from their verified token. */
export interface UserSession {
  readonly tenantId: string
  /** The person's object id in the tenant. */
  readonly objectId: string
  /** A hash of the token. */
  readonly id: string
  /** When the token expires, in milliseconds since 1970. */
  readonly expires: number
}

/** The effect of a failed exchange on its session. */
export interface ExchangeFault {
  /** Creates an error for one request. */
  readonly error: () => Error
  /** Milliseconds during which the session gets the same error without another exchange; 0: none. */
  readonly pause: number
  /** Whether a token that is still valid must not be used any more. */
  readonly final: boolean
}

/** Access tokens of people, one for each session. */
export interface UserTokenCache {
  /**
   * The access token of `session`, `Bearer …`: a string if one is cached. `exchange` runs once at a time for a session;
   * a token that is due for renewal is renewed in the background, but only when it is requested.
   */
  readonly get: (session: UserSession, exchange: () => Promise<FetchedToken>) => string | Promise<string>
  /** Discards `authorization`, which Dynamics refused. `always`: even directly after another discard. */
  readonly discard: (session: UserSession, authorization: string, always: boolean) => void
  readonly size: () => number
}

export interface UserTokenCacheOptions {
  /** Maximum number of sessions; beyond it, the least recently used one is removed. */
  readonly maxSessions: number
  readonly faultOf: (error: unknown) => ExchangeFault
  /** The error for a session that has ended. */
  readonly ended: () => Error
  readonly clock?: Clock
}

interface Entry {
  readonly session: Span
  token: { readonly authorization: string; readonly valid: Span; readonly fresh: Span } | undefined
  flight: Promise<string> | undefined
  failed: { readonly fault: ExchangeFault; readonly until: Span } | undefined
  discarded: Span | undefined
}

/** Refusals of Dynamics discard a session's token only once within this time. */
const DISCARD_WINDOW_MS = 5000

/**
 * Caches access tokens by person and session, so that no person or session gets the rights of another: a second
 * sign-in of the same person may prove less than the first. A token is never used after its session ends.
 */
export function createUserTokenCache({
  maxSessions,
  faultOf,
  ended,
  clock = systemClock,
}: UserTokenCacheOptions): UserTokenCache {
  /** In order of last use. */
  const entries = new Map<string, Entry>()

  return {
    get(session, exchange) {
      const entry = entryOf(session)
      if (entry.session.isOver()) {
        entries.delete(keyOf(session))
        return Promise.reject(ended())
      }
      const { token, failed } = entry
      const paused = failed !== undefined && !failed.until.isOver()
      if (token !== undefined && !token.valid.isOver()) {
        if (token.fresh.isOver() && entry.flight === undefined && !paused) renew(entry, exchange).catch(() => {})
        return token.authorization
      }
      if (entry.flight !== undefined) return entry.flight
      return paused ? Promise.reject(failed.fault.error()) : renew(entry, exchange)
    },
    discard(session, authorization, always) {
      const entry = entries.get(keyOf(session))
      if (entry?.token?.authorization !== authorization) return
      if (!always && entry.discarded !== undefined && !entry.discarded.isOver()) return
      entry.token = undefined
      entry.discarded = spanOf(DISCARD_WINDOW_MS, clock)
    },
    size: () => entries.size,
  }

  function entryOf(session: UserSession): Entry {
    const key = keyOf(session)
    const known = entries.get(key)
    if (known !== undefined) {
      entries.delete(key)
      entries.set(key, known)
      return known
    }
    evict()
    const entry: Entry = {
      session: spanOf(session.expires - clock.wall(), clock),
      token: undefined,
      flight: undefined,
      failed: undefined,
      discarded: undefined,
    }
    entries.set(key, entry)
    return entry
  }

  /** Makes room for a new session, and removes up to two of the least recently used sessions if they have ended. */
  function evict(): void {
    let looked = 0
    for (const [key, entry] of entries) {
      if (entries.size >= maxSessions || entry.session.isOver()) entries.delete(key)
      looked += 1
      if (looked === 3) return
    }
  }

  function renew(entry: Entry, exchange: () => Promise<FetchedToken>): Promise<string> {
    const started = clock.steady()
    const flight = exchange().then(
      (token) => {
        const { servedFor, renewAfter } = lifeOf(token, clock.steady() - started, Math.random())
        const authorization = `Bearer ${token.accessToken}`
        entry.token = {
          authorization,
          valid: spanOf(Math.min(servedFor, entry.session.left()), clock),
          fresh: spanOf(renewAfter, clock),
        }
        entry.failed = undefined
        entry.flight = undefined
        return authorization
      },
      (error: unknown) => {
        const fault = faultOf(error)
        if (fault.final) entry.token = undefined
        entry.failed = fault.pause > 0 ? { fault, until: spanOf(fault.pause, clock) } : undefined
        entry.flight = undefined
        throw fault.error()
      },
    )
    entry.flight = flight
    return flight
  }
}

/** None of its parts can contain a space: two are ids, one is a hash. */
function keyOf({ tenantId, objectId, id }: UserSession): string {
  return `${tenantId} ${objectId} ${id}`
}
