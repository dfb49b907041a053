import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

/** Whether the gateway has too much to do. */
export interface Overload {
  readonly overloaded: () => boolean
  /** How late the event loop is: the median, in milliseconds. */
  readonly lag: () => number
  readonly close: () => void
}

/** How often it is looked at; and, in milliseconds, how exactly. */
const SAMPLE_INTERVAL_MS = 500
const RESOLUTION_MS = 20

/** What one look at the event loop shows. */
export interface Look {
  /** How late half of its turns are, in milliseconds, or later. */
  readonly delay: number
  /** Which part of the time it had something to do: 0 … 1. */
  readonly utilization: number
}

/** How the last looks went. */
export interface Pressure {
  readonly overloaded: boolean
  /** Looks in a row that say the opposite. */
  readonly against: number
}

/** Half of all turns of the event loop are later than this: more work comes in than is done. */
const OVERLOADED_LAG_MS = 200
/** The gateway has caught up. */
const RECOVERED_LAG_MS = 80
/**
 * An event loop that waits for something to do is late only because the machine is: other processes keep it from
 * running. Measured at `nice 19` beside three busy processes a core: at most 0.6 when idle, over 0.99 with too much to do.
 */
const BUSY = 0.9
/** One late look may be a pause of the garbage collection. */
const SAMPLES = 2

/**
 * What follows from another look. It takes two in a row to change the mind, and the two bounds of the delay lie apart,
 * so that requests are not turned away by turns.
 */
export function nextPressure({ overloaded, against }: Pressure, { delay, utilization }: Look): Pressure {
  const busy = utilization >= BUSY
  const opposite = overloaded ? !busy || delay < RECOVERED_LAG_MS : busy && delay > OVERLOADED_LAG_MS
  if (!opposite) return { overloaded, against: 0 }
  return against + 1 < SAMPLES ? { overloaded, against: against + 1 } : { overloaded: !overloaded, against: 0 }
}

/** Watches how late the event loop is, and whether its own work makes it so. */
export function watchOverload(): Overload {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  let pressure: Pressure = { overloaded: false, against: 0 }
  let delay = 0
  let before = performance.eventLoopUtilization()
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    delay = Math.max(histogram.percentile(50) / 1e6 - RESOLUTION_MS, 0)
    histogram.reset()
    pressure = nextPressure(pressure, { delay, utilization })
  }, SAMPLE_INTERVAL_MS).unref()
  return {
    overloaded: () => pressure.overloaded,
    lag: () => delay,
    close() {
      clearInterval(timer)
      histogram.disable()
    },
  }
}
