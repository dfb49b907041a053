import type { FetchedToken } from './credential.ts'

/** How long a token is used, in milliseconds from the moment it came. */
export interface TokenLife {
  /** Not served beyond. */
  readonly servedFor: number
  /** When to fetch the next one. */
  readonly renewAfter: number
}

/** Taken for a token whose authority does not say how long it lives. */
const UNKNOWN_LIFE = 60_000
const LONGEST_LIFE = 24 * 3_600_000

/** Before its end a token is left alone for this long, so that it does not expire on the way. */
const MARGIN = 10_000

/** Renewals are never closer together. */
const SHORTEST_PAUSE = 500

/**
 * How long to use `token`, and when to renew it: when the authority says so, else after three quarters of its life, up
 * to a tenth earlier, so that many gateways do not ask at once.
 *
 * @param took milliseconds that the fetch took; the token may be that old already
 * @param random between 0 and 1
 */
export function lifeOf(token: FetchedToken, took: number, random: number): TokenLife {
  const life = Math.min(seconds(token.expiresIn) ?? UNKNOWN_LIFE, LONGEST_LIFE)
  const servedFor = life - Math.min(took, life / 10) - Math.min(MARGIN, life / 20)
  const due = seconds(token.refreshIn)
  const renewAfter = (due !== undefined && due < servedFor ? due : 0.75 * life) * (1 - random / 10)
  return { servedFor, renewAfter: Math.max(SHORTEST_PAUSE, renewAfter) }
}

function seconds(value: number | undefined): number | undefined {
  return value === undefined || !(value > 0) ? undefined : value * 1000
}
