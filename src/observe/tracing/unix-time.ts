/** The time of `performance.now() === 0` by the machine's clock, in milliseconds since 1970. */
let clockOrigin = performance.timeOrigin

/** The greatest drift of the machine's clock, in ms. Drift occurs when the clock is set or the machine is suspended. */
const MAX_DRIFT_MS = 10

/** Corrects drift. It is called once per request, so that the spans of a request fit together. */
export function followClock(): void {
  const drift = Date.now() - (clockOrigin + performance.now())
  if (Math.abs(drift) > MAX_DRIFT_MS) clockOrigin += drift
}

/**
 * Nanoseconds since 1970, from `performance.now()`. A number can express only multiples of 256 of them, which is as
 * precise as the clock. A whole number, not below 0, even if the clock was never set: the encoders take no other.
 */
export function unixNanoseconds(time: number): number {
  return Math.max(0, Math.round((clockOrigin + time) * 1e6))
}
