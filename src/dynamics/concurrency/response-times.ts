/** A rough class of what a request costs Dynamics. Times are compared within one class only. */
export type CostClass = 'read' | 'write' | 'batch'

/** Times to the heads of responses, by cost class. */
export interface ResponseTimes {
  readonly add: (costClass: CostClass, ms: number) => void
  readonly count: () => number
  readonly of: (costClass: CostClass) => Logarithms | undefined
}

/** Logarithms of times: their number, their mean, and the sum of squared distances from it (Welford). */
export interface Logarithms {
  readonly count: number
  readonly mean: number
  readonly squares: number
}

/** The difference of two sets of times: the logarithm of the ratio, and its standard error. */
export interface Difference {
  readonly logRatio: number
  readonly standardError: number
}

/**
 * Shorter times count as this one. Nothing waits inside a service that responds so fast. A difference may then be the
 * gateway's own time, and any lower limit would seem to be as good.
 */
const MIN_TIME_MS = 20

export function createResponseTimes(): ResponseTimes {
  const byClass = new Map<CostClass, { count: number; mean: number; squares: number }>()
  let total = 0
  return {
    add(costClass, ms) {
      const logarithm = Math.log(Math.max(ms, MIN_TIME_MS))
      let times = byClass.get(costClass)
      if (times === undefined) byClass.set(costClass, (times = { count: 0, mean: 0, squares: 0 }))
      times.count++
      const distance = logarithm - times.mean
      times.mean += distance / times.count
      times.squares += distance * (logarithm - times.mean)
      total++
    },
    count: () => total,
    of: (costClass) => byClass.get(costClass),
  }
}

const COST_CLASSES = ['read', 'write', 'batch'] as const

/** The fewest times in a class from which their spread is estimated. */
const MIN_TIMES = 3

/**
 * How much slower `later` is than `earlier`. Each class is compared with itself, so that another mix of requests does
 * not look like slower responses; `undefined` if no class has enough times in both.
 */
export function compareTimes(earlier: ResponseTimes, later: ResponseTimes): Difference | undefined {
  let weights = 0
  let sum = 0
  let variance = 0
  for (const costClass of COST_CLASSES) {
    const before = earlier.of(costClass)
    const after = later.of(costClass)
    if (before === undefined || after === undefined || Math.min(before.count, after.count) < MIN_TIMES) continue
    const weight = (before.count * after.count) / (before.count + after.count)
    const spread = (before.squares + after.squares) / (before.count + after.count - 2)
    weights += weight
    sum += weight * (after.mean - before.mean)
    variance += weight * spread
  }
  return weights === 0 ? undefined : { logRatio: sum / weights, standardError: Math.sqrt(variance) / weights }
}
