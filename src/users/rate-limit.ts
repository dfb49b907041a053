import { sleep } from '../dynamics/cancellation.ts'
import type { Cancellation } from '../dynamics/cancellation.ts'
import { UserLookupTooSlow } from '../errors.ts'

/**
 * Lets `perSecond` requests a second pass, at equal intervals and in order of arrival. Further requests wait. Without
 * the intervals, the requests of two seconds could arrive together.
 *
 * @param maxWaitMs the longest wait
 * @throws UserLookupTooSlow at once if the wait would be longer; the reason of the cancellation, if it is cancelled
 */
export function rateLimiter(perSecond: number, maxWaitMs: number): (cancellation: Cancellation) => Promise<void> {
  /** The time at which the next request may pass. */
  let next = -Infinity

  return async (cancellation) => {
    const now = performance.now()
    const earliest = Math.max(now, next)
    if (earliest - now > maxWaitMs) throw new UserLookupTooSlow()
    next = earliest + 1000 / perSecond
    if (earliest > now) await sleep(cancellation, earliest - now)
  }
}
