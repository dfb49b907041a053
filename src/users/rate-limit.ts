import { sleep } from '../dynamics/cancellation.ts'
import type { Cancellation } from '../dynamics/cancellation.ts'
import { UserLookupTooSlow } from '../errors.ts'

/**
 * Lets `perSecond` requests a second pass, evenly and in order of arrival; further ones wait. (All of a second at
 * once would meet those of the next one on the way.)
 *
 * @param maxWaitMs wait in milliseconds; a longer wait is refused
 * @throws UserLookupTooSlow at once when the wait would be longer; the reason of leaving, when the one who waits leaves
 */
export function rateLimiter(perSecond: number, maxWaitMs: number): (cancellation: Cancellation) => Promise<void> {
  /** When the next request may pass. */
  let next = -Infinity

  return async (cancellation) => {
    const now = performance.now()
    const earliest = Math.max(now, next)
    if (earliest - now > maxWaitMs) throw new UserLookupTooSlow()
    next = earliest + 1000 / perSecond
    if (earliest > now) await sleep(cancellation, earliest - now)
  }
}
