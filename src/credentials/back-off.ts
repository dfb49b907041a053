import type { AuthorityFailure } from './failure.ts'

/** The longest Retry-After of an authority that is honoured. */
const MAX_RETRY_AFTER_MS = 60_000

/**
 * How long to wait after `failure`: doubling from 1 s to 30 s while the authority is unavailable; doubling from 30 s
 * to two minutes when it refused the credential, because more attempts could lock the registration.
 *
 * @param attempt failures in a row, counting from 1
 * @param random between 0 and 1; shortens the wait by up to a fifth, so that many gateways do not retry together
 */
export function backOff(failure: AuthorityFailure, attempt: number, random: number): number {
  return delayFor(failure, attempt, random, failure.refused ? 120_000 : 30_000)
}

/**
 * The same while callers wait for a token and there is none: an unavailable authority is retried every two
 * seconds, so that callers get a token within that time after its recovery.
 */
export function backOffWhileNeeded(failure: AuthorityFailure, attempt: number, random: number): number {
  return delayFor(failure, attempt, random, failure.refused ? 120_000 : 2000)
}

function delayFor({ refused, facts }: AuthorityFailure, attempt: number, random: number, longest: number): number {
  const delay = Math.min((refused ? 30_000 : 1000) * 2 ** Math.min(attempt - 1, 10), longest) * (1 - random / 5)
  return Math.max(delay, Math.min(facts.retryAfter ?? 0, MAX_RETRY_AFTER_MS))
}
