import type { FetchedToken } from './credential.ts'

/** How long a token is used, in milliseconds from its arrival. */
export interface TokenLife {
  /** It is not used for longer than this. */
  readonly servedFor: number
  /** When to fetch a new one. */
  readonly renewAfter: number
}

/** The lifetime of a token when the authority sends none. */
const DEFAULT_LIFETIME_MS = 60_000
const MAX_LIFETIME_MS = 24 * 3_600_000

/** A token is not used this long before its expiry, so that it does not expire on the way. */
const EXPIRY_MARGIN_MS = 10_000

/** The shortest time between renewals. */
const MIN_RENEWAL_MS = 500

/**
 * How long to use `token`, and when to renew it: when the authority says so, otherwise after three quarters of its
 * lifetime, up to a tenth earlier, so that many gateways do not renew together.
 *
 * @param took duration of the fetch in milliseconds; the token may already be that old
 * @param random between 0 and 1
 */
export function lifeOf(token: FetchedToken, took: number, random: number): TokenLife {
  const life = Math.min(seconds(token.expiresIn) ?? DEFAULT_LIFETIME_MS, MAX_LIFETIME_MS)
  const servedFor = life - Math.min(took, life / 10) - Math.min(EXPIRY_MARGIN_MS, life / 20)
  const due = seconds(token.refreshIn)
  const renewAfter = (due !== undefined && due < servedFor ? due : 0.75 * life) * (1 - random / 10)
  return { servedFor, renewAfter: Math.max(MIN_RENEWAL_MS, renewAfter) }
}

function seconds(value: number | undefined): number | undefined {
  return value === undefined || !(value > 0) ? undefined : value * 1000
}
