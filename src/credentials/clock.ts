import { uptime } from 'node:os'

/** Three clocks, in milliseconds. None of them is sufficient alone. */
export interface Clock {
  /** Never jumps, but stops while the machine sleeps. */
  readonly steady: () => number
  /** Continues during sleep, but people and time servers set it. */
  readonly wall: () => number
  /** Never jumps and continues during sleep, but needs a system call. */
  readonly sinceBoot: () => number
}

export const systemClock: Clock = {
  steady: () => performance.now(),
  wall: () => Date.now(),
  sinceBoot: () => uptime() * 1000,
}

/** A running span of time. */
export interface Span {
  readonly isOver: () => boolean
  /** Milliseconds until its end; negative afterwards. */
  readonly left: () => number
}

/**
 * A span of `milliseconds` from now. It is over when the steady clock says so. When only the wall clock says so, either
 * the machine slept (it is over) or the clock was set (it is not), and the third clock decides.
 */
export function spanOf(milliseconds: number, clock: Clock): Span {
  let end = clock.steady() + milliseconds
  let wallEnd = clock.wall() + milliseconds
  const bootEnd = clock.sinceBoot() + milliseconds
  return { isOver: () => left() <= 0, left }

  function left(): number {
    const steadyLeft = end - clock.steady()
    if (clock.wall() < wallEnd || steadyLeft <= 0) return steadyLeft
    const reallyLeft = Math.min(steadyLeft, bootEnd - clock.sinceBoot())
    end = clock.steady() + reallyLeft
    wallEnd = clock.wall() + reallyLeft
    return reallyLeft
  }
}
