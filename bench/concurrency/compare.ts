import { createAdaptiveLimit } from '../../src/dynamics/concurrency/adaptive-limit.ts'
import type { Shape } from './service.ts'
import { fixed, simulate } from './simulate.ts'
import type { Limiter, Outcome, Phase } from './simulate.ts'

/** The gateway's `MAX_CONCURRENCY`. */
export const CEILING = 52
/** How long the limit has to find its number, and how long it is watched then. */
export const ADAPTS_MS = 30_000
const WATCHED_MS = 60_000

/** How the adaptive limit does beside the best fixed number: 1 is as good. */
export interface Ratio {
  readonly throughput: number
  readonly p95: number
}

/** A number of requests at once, and what it gets for each seed. */
export interface Fixed {
  readonly limit: number
  readonly outcomes: readonly Outcome[]
}

/** Seeds, and how the work of requests varies. */
export interface Conditions {
  readonly seeds: readonly number[]
  /** Standard deviation of the logarithm of the work of requests of one class. */
  readonly spread: number
}

/** What a fixed number gets. */
export function withFixed(shape: Shape, limit: number, { seeds, spread }: Conditions): Fixed {
  const phases = [{ shape, until: Infinity }]
  return {
    limit,
    outcomes: seeds.map((seed) =>
      simulate(() => fixed(limit), { phases, from: ADAPTS_MS, to: ADAPTS_MS + WATCHED_MS, seed, spread }),
    ),
  }
}

/** The number that gets most done; of those that get as much but for 1 %, the smallest, whose answers are fastest. */
export function bestFixed(shape: Shape, conditions: Conditions): Fixed {
  const all = Array.from({ length: CEILING }, (_, index) => withFixed(shape, index + 1, conditions))
  const done = ({ outcomes }: Fixed): number => mean(outcomes.map(({ throughput }) => throughput))
  const most = Math.max(...all.map(done))
  return all.find((one) => done(one) >= most * 0.99)!
}

/** The adaptive limit after it had its time, from a start or after a change of shape; for each seed. */
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
