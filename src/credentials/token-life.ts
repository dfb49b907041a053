import type { FetchedToken } from './credential.ts'

/** How long a token is used, in milliseconds from the moment it came. */
export interface TokenLife {
  /** Not served beyond. */
  readonly servedFor: number
  /** When to fetch the next one. */
  readonly renewAfter: number
}

/** Taken for a token whose authority does not say how long it lives. */
const DEFAULT_LIFETIME_MS = 60_000
const MAX_LIFETIME_MS = 24 * 3_600_000

/** Before its end a token is left alone for this long, so that it does not expire on the way. */
const EXPIRY_MARGIN_MS = 10_000

/** Renewals are never closer together. */
const MIN_RENEWAL_MS = 500

/**
 * How long to use `token`, and when to renew it: when the authority says so, else after three quarters of its life, up
 * to a tenth earlier, so that many gateways do not ask at once.
 *
 * @param took milliseconds that the fetch took; the token may be that old already
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
