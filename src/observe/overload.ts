import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Whether the gateway has too much to do. */
export interface Overload {
  readonly overloaded: () => boolean
  /** How late the event loop was of late: the median, in milliseconds. */
  readonly delay: () => number
  readonly close: () => void
}

/** How often it is looked at; and, in milliseconds, how exactly. */
const WINDOW = 500
const RESOLUTION = 20

/** How the last looks went. */
export interface Pressure {
  readonly overloaded: boolean
  /** Looks in a row that say the opposite. */
  readonly against: number
}

/** Half of all turns of the event loop are later than this: more work comes in than is done. */
const TOO_LATE = 200
/** The gateway has caught up. */
const IN_TIME = 80
/** One late look may be a pause of the garbage collection. */
const LOOKS = 2

/**
 * What follows from another look. It takes two in a row to change the mind, and the two bounds lie apart, so that
 * requests are not turned away by turns.
 *
 * @param delay of the event loop, in milliseconds
 */
export function judge({ overloaded, against }: Pressure, delay: number): Pressure {
  const opposite = overloaded ? delay < IN_TIME : delay > TOO_LATE
  if (!opposite) return { overloaded, against: 0 }
  return against + 1 < LOOKS ? { overloaded, against: against + 1 } : { overloaded: !overloaded, against: 0 }
}

/** Watches how late the event loop is. */
export function watchOverload(): Overload {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION })
  histogram.enable()
  let pressure: Pressure = { overloaded: false, against: 0 }
  let delay = 0
  const timer = setInterval(() => {
    delay = Math.max(histogram.percentile(50) / 1e6 - RESOLUTION, 0)
    histogram.reset()
    pressure = judge(pressure, delay)
  }, WINDOW).unref()
  return {
    overloaded: () => pressure.overloaded,
    delay: () => delay,
    close() {
      clearInterval(timer)
      histogram.disable()
    },
  }
}
