import { createAdaptiveLimit } from '../../src/dynamics/concurrency/adaptive-limit.ts'
import type { Shape } from './service.ts'
import { fixed, simulate } from './simulate.ts'
import type { Limiter, Outcome, Phase } from './simulate.ts'

/** The gateway's `MAX_CONCURRENCY`. */
export const CEILING = 52
/** The time for the limit to settle, and the time of the measurement after it. */
export const ADAPTS_MS = 30_000
const WATCHED_MS = 60_000

/** The adaptive limit relative to the best fixed one: 1 is equal. */
export interface Ratio {
  readonly throughput: number
  readonly p95: number
}

/** A fixed limit, and its result for each seed. */
export interface Fixed {
  readonly limit: number
  readonly outcomes: readonly Outcome[]
}

/** Seeds, and the variation of the work of requests. */
export interface Conditions {
  readonly seeds: readonly number[]
  /** Standard deviation of the logarithm of the work of requests of one class. */
  readonly spread: number
}

/** The results of a fixed limit. */
export function withFixed(shape: Shape, limit: number, { seeds, spread }: Conditions): Fixed {
  const phases = [{ shape, until: Infinity }]
  return {
    limit,
    outcomes: seeds.map((seed) =>
      simulate(() => fixed(limit), { phases, from: ADAPTS_MS, to: ADAPTS_MS + WATCHED_MS, seed, spread }),
    ),
  }
}

/** The limit with the best throughput. Of several within 1 %, the lowest, which has the shortest response times. */
export function bestFixed(shape: Shape, conditions: Conditions): Fixed {
  const all = Array.from({ length: CEILING }, (_, index) => withFixed(shape, index + 1, conditions))
  const done = ({ outcomes }: Fixed): number => mean(outcomes.map(({ throughput }) => throughput))
  const most = Math.max(...all.map(done))
  return all.find((one) => done(one) >= most * 0.99)!
}

/**
 * The results of the adaptive limit after it has settled, from a start or after a change of the service, for each seed.
 */
export function adaptive(
  shape: Shape,
  best: Fixed,
  from: { readonly start: number } | { readonly before: Shape },
  { seeds, spread }: Conditions,
): readonly Ratio[] {
  const changesAt = 'before' in from ? WATCHED_MS : 0
  const before: Phase[] = 'before' in from ? [{ shape: from.before, until: changesAt }] : []
  return seeds.map((seed, index) => {
    const { throughput, p95 } = simulate(limiter, {
      phases: [...before, { shape, until: Infinity }],
      from: changesAt + ADAPTS_MS,
      to: changesAt + ADAPTS_MS + WATCHED_MS,
      seed,
      spread,
      start: 'start' in from ? from.start : undefined,
    })
    const { throughput: bestThroughput, p95: bestP95 } = best.outcomes[index]!
    return { throughput: throughput / bestThroughput, p95: p95 / bestP95 }
  })
}

function limiter(clock: () => number): Limiter {
  return createAdaptiveLimit(() => CEILING, clock)
}

export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0) / numbers.length
}
