import type { CostClass } from '../../src/dynamics/concurrency/response-times.ts'

/** How a simulated service answers `running` requests at once. */
export interface Shape {
  readonly name: string
  /** `x-ms-dop-hint`. */
  readonly hint: number
  /** How fast the request that came as number `index` goes on, 1 being alone. */
  readonly speed: (running: number, index: number) => number
  /** More at once are refused with 0x80072326. */
  readonly refusedBeyond: number
}

/** Requests of a mix: how often, and milliseconds of work, on average. */
export const MIX: readonly { readonly costClass: CostClass; readonly share: number; readonly ms: number }[] = [
  { costClass: 'read', share: 0.72, ms: 150 },
  { costClass: 'write', share: 0.25, ms: 300 },
  { costClass: 'batch', share: 0.03, ms: 1000 },
]

/** As many servers as `capacity`; further requests queue. */
export function queueing(capacity: number, hint: number): Shape {
  return {
    name: `queues beyond ${capacity}, hint ${hint}`,
    hint,
    speed: (_running, index) => (index < capacity ? 1 : 0),
    refusedBeyond: Infinity,
  }
}

/** Beyond `knee` all slow each other down, by more than they are. */
export function thrashing(knee: number, hint: number): Shape {
  return {
    name: `thrashes beyond ${knee}, hint ${hint}`,
    hint,
    speed: (running) => Math.min(1, (knee / running) ** 1.5),
    refusedBeyond: Infinity,
  }
}

/** Takes more than is asked for at once. */
export function ample(hint: number): Shape {
  return { name: `ample, hint ${hint}`, hint, speed: () => 1, refusedBeyond: Infinity }
}

/** Refuses more than `most` at once. */
export function refusing(most: number, hint: number): Shape {
  return { name: `refuses beyond ${most}, hint ${hint}`, hint, speed: () => 1, refusedBeyond: most }
}

/** Each request slows all others a little, without a knee (Gunther's universal scalability law). */
export function gradual(contention: number, hint: number): Shape {
  return {
    name: `gradual, contention ${contention}, hint ${hint}`,
    hint,
    speed: (running) => 1 / (1 + contention * (running - 1)),
    refusedBeyond: Infinity,
  }
}

/** The services that the limit is measured against. The last one has no knee to find. */
export const SHAPES: readonly Shape[] = [
  queueing(16, 4),
  queueing(8, 48),
  thrashing(20, 4),
  ample(4),
  refusing(20, 4),
  gradual(0.05, 4),
]
