import { pause } from '../dynamics/departure.ts'
import type { Departure } from '../dynamics/send.ts'
import { UserLookupTooSlow } from '../errors.ts'

/**
 * Lets at most `perSecond` pass in any second, in the order in which they came; further ones wait.
 *
 * @param longest wait in milliseconds; who would wait longer takes no turn
 * @throws UserLookupTooSlow at once when the wait would be longer; the reason of leaving, when the one who waits leaves
 */
export function pace(perSecond: number, longest: number): (departure: Departure) => Promise<void> {
  /** When the last `perSecond` passed, or will pass. */
  const turns: number[] = []

  return async (departure) => {
    const now = performance.now()
    const earliest = turns.length < perSecond ? now : Math.max(now, turns[0]! + 1000)
    if (earliest - now > longest) throw new UserLookupTooSlow()
    turns.push(earliest)
    if (turns.length > perSecond) turns.shift()
    if (earliest > now) await pause(departure, earliest - now)
  }
}
