import type { AdaptiveLimit } from '../../src/dynamics/concurrency/adaptive-limit.ts'
import type { ResponseTimes, CostClass } from '../../src/dynamics/concurrency/response-times.ts'
import { MIX } from './service.ts'
import type { Shape } from './service.ts'

/** Decides how many requests run at the service at once. */
export type Limiter = Pick<AdaptiveLimit, 'current' | 'sent' | 'answered' | 'refused' | 'start'>

/** A change of the service. */
export interface Phase {
  readonly shape: Shape
  /** Milliseconds since the start. */
  readonly until: number
}

export interface Outcome {
  /** Responses per second. */
  readonly throughput: number
  /** 95th percentile of the time from sending to the response, in milliseconds. */
  readonly p95: number
  readonly refused: number
  readonly meanLimit: number
}

interface Job {
  readonly costClass: CostClass
  readonly sentAt: number
  readonly times: ResponseTimes | undefined
  left: number
}

export interface Simulation {
  readonly phases: readonly Phase[]
  /** The start and end of the measurement, in milliseconds. */
  readonly from: number
  readonly to: number
  readonly seed: number
  /** Standard deviation of the logarithm of the work of requests of one class. */
  readonly spread: number
  /** The limit at the start. Left out: the hint of the first response. */
  readonly start?: number | undefined
}

/** The pause after a refusal, as in `respectLimits`. */
const PAUSE_AFTER_REFUSAL_MS = 250
const REFUSAL_MS = 5
/** The smallest step of the clock, so that rounding does not stop it. */
const SHORTEST_STEP_MS = 0.001
const DONE_MS = 1e-6

/**
 * Runs a limiter against a service, always with more callers than slots, on a simulated clock.
 *
 * @param makeLimiter takes the clock
 */
export function simulate(makeLimiter: (clock: () => number) => Limiter, simulation: Simulation): Outcome {
  const { phases, from, to, seed, spread, start } = simulation
  const random = seeded(seed)
  let now = 0
  const limiter = makeLimiter(() => now)
  let jobs: Job[] = []
  let pausedUntil = 0
  let done = 0
  let refused = 0
  let limitTime = 0
  const latencies: number[] = []
  const followsHint = start === undefined
  let hinted = false
  if (start !== undefined) limiter.start(start)

  while (now < to) {
    const { shape, until } = phases.find((phase) => now < phase.until)!
    if (now >= pausedUntil) {
      while (jobs.length < limiter.current()) {
        const { costClass, ms } = pick(random())
        const times = jobs.length + 1 >= limiter.current() ? limiter.sent() : undefined
        const work = ms * Math.exp(spread * gaussian(random) - (spread * spread) / 2)
        jobs.push({ costClass, sentAt: now, times, left: work })
        if (jobs.length > shape.refusedBeyond) {
          jobs.pop()
          limiter.refused(jobs.length + 1)
          refused++
          pausedUntil = now + REFUSAL_MS + PAUSE_AFTER_REFUSAL_MS
          break
        }
      }
    }
    const speeds = jobs.map((_, index) => shape.speed(jobs.length, index))
    const ends = jobs.map(({ left }, index) => (speeds[index]! > 0 ? left / speeds[index]! : Infinity))
    const nextPhase = until - now
    const pause = now < pausedUntil ? pausedUntil - now : Infinity
    const passes = Math.max(Math.min(...ends, nextPhase, to - now, pause), SHORTEST_STEP_MS)
    jobs.forEach((job, index) => {
      job.left -= passes * speeds[index]!
    })
    if (now >= from) limitTime += passes * limiter.current()
    now += passes
    const over = jobs.filter(({ left }) => left <= DONE_MS)
    jobs = jobs.filter(({ left }) => left > DONE_MS)
    for (const { costClass, sentAt, times } of over) {
      if (followsHint && !hinted) {
        hinted = true
        limiter.start(shape.hint)
      }
      if (times !== undefined) limiter.answered(times, costClass, now - sentAt)
      if (now < from) continue
      done++
      latencies.push(now - sentAt)
    }
  }
  latencies.sort((one, other) => one - other)
  return {
    throughput: done / ((to - from) / 1000),
    p95: latencies[Math.floor(latencies.length * 0.95)] ?? Infinity,
    refused,
    meanLimit: limitTime / (to - from),
  }
}

/** A limiter with a fixed limit. */
export function fixed(limit: number): Limiter {
  return {
    current: () => limit,
    sent: () => undefined,
    answered: () => undefined,
    refused: () => undefined,
    start: () => undefined,
  }
}

function pick(chance: number): (typeof MIX)[number] {
  let sum = 0
  return MIX.find(({ share }) => chance < (sum += share)) ?? MIX[0]!
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** A normal variable (Box and Muller). */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
