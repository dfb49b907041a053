import type { AuthorityFailure } from './failure.ts'

/** The longest Retry-After of an authority that is obeyed. */
const LONGEST_RETRY_AFTER = 60_000

/**
 * How long to leave the authority alone after `failure`: from 1 s doubling to 30 s while it is unwell; from 30 s doubling
 * to two minutes when it turned the credential down, because asking on could lock the registration.
 *
 * @param attempt failures in a row, counting from 1
 * @param random between 0 and 1; takes up to a fifth off, so that many gateways do not ask at once
 */
export function backOff(failure: AuthorityFailure, attempt: number, random: number): number {
  const [first, longest] = failure.refused ? [30_000, 120_000] : [1000, 30_000]
  const delay = Math.min(first * 2 ** Math.min(attempt - 1, 10), longest) * (1 - random / 5)
  return Math.max(delay, Math.min(failure.facts.retryAfter ?? 0, LONGEST_RETRY_AFTER))
}
