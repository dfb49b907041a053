import type { AuthorityFailure } from './failure.ts'

/** The longest Retry-After of an authority that is obeyed. */
const MAX_RETRY_AFTER_MS = 60_000

/**
 * How long to leave the authority alone after `failure`: from 1 s doubling to 30 s while it is unwell; from 30 s
 * doubling to two minutes when it turned the credential down, because asking on could lock the registration.
 *
 * @param attempt failures in a row, counting from 1
 * @param random between 0 and 1; takes up to a fifth off, so that many gateways do not ask at once
 */
export function backOff(failure: AuthorityFailure, attempt: number, random: number): number {
  return delayFor(failure, attempt, random, failure.refused ? 120_000 : 30_000)
}

/**
 * The same while there is no token and callers ask for one: an authority that is merely unwell is asked every two
 * seconds at most, so that they wait no longer than that once it is well.
 */
export function backOffWhileNeeded(failure: AuthorityFailure, attempt: number, random: number): number {
  return delayFor(failure, attempt, random, failure.refused ? 120_000 : 2000)
}

function delayFor({ refused, facts }: AuthorityFailure, attempt: number, random: number, longest: number): number {
  const delay = Math.min((refused ? 30_000 : 1000) * 2 ** Math.min(attempt - 1, 10), longest) * (1 - random / 5)
  return Math.max(delay, Math.min(facts.retryAfter ?? 0, MAX_RETRY_AFTER_MS))
}
