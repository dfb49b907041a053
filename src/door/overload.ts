import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

import { Overloaded, retryLater } from '../errors.ts'

/** Detects an overloaded gateway. */
export interface Overload {
  readonly overloaded: () => boolean
  /** The median lag of the event loop, in milliseconds. */
  readonly lag: () => number
  readonly close: () => void
}

/** Sample interval and resolution. */
const SAMPLE_INTERVAL_MS = 500
const RESOLUTION_MS = 20

/** One sample of the event loop. */
export interface Sample {
  /** The median delay of its turns, in milliseconds. */
  readonly delay: number
  /** The share of time in which it was busy: 0 … 1. */
  readonly utilization: number
}

/** The result of the last samples. */
export interface Pressure {
  readonly overloaded: boolean
  /** Consecutive samples to the contrary. */
  readonly against: number
}

/** A median lag above this means that more work arrives than is done. */
const OVERLOADED_LAG_MS = 200
/** A median lag below this means that the gateway has recovered. */
const RECOVERED_LAG_MS = 80
/**
 * An event loop that is mostly idle is late only because other processes keep it from
 * running. Measured at `nice 19` with three busy processes a core: at most 0.6 when idle, over 0.99 under overload.
 */
const MIN_UTILIZATION = 0.9
/**
 * After a start, code is loaded and compiled. On a busy machine that alone fills the event loop for seconds, in turns of
 * more than 200 ms.
 */
const START_UP_MS = 10_000
/** Consecutive samples that change the state. A single late one may be a garbage collection. */
const CONFIRMING_SAMPLES = 2

/**
 * The state after another sample. Two consecutive samples change it, and the two thresholds of the delay differ,
 * so that it does not oscillate.
 */
export function nextPressure({ overloaded, against }: Pressure, { delay, utilization }: Sample): Pressure {
  const busy = utilization >= MIN_UTILIZATION
  const opposite = overloaded ? !busy || delay < RECOVERED_LAG_MS : busy && delay > OVERLOADED_LAG_MS
  if (!opposite) return { overloaded, against: 0 }
  return against + 1 < CONFIRMING_SAMPLES
    ? { overloaded, against: against + 1 }
    : { overloaded: !overloaded, against: 0 }
}

/**
 * Measures the lag of the event loop, and whether its own work is the cause.
 *
 * @param startUp milliseconds from now in which no lag counts as overload
 */
export function watchOverload(startUp = START_UP_MS): Overload {
  const upAt = performance.now() + startUp
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
    if (performance.now() >= upAt) pressure = nextPressure(pressure, { delay, utilization })
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

/** When a refused caller may try again, in milliseconds. */
const RETRY_MS = 1000

/** Refuses requests while the gateway is overloaded. */
function overloadCheck(
  app: FastifyInstance,
  { overload }: { readonly overload: Pick<Overload, 'overloaded'> },
  registered: () => void,
): void {
  app.addHook('onRequest', (_request, _reply, done) =>
    done(overload.overloaded() ? retryLater(new Overloaded(), RETRY_MS) : undefined),
  )
  registered()
}

export default fp(overloadCheck, { name: 'overload', fastify: '5.x' })
