import type { CostClass } from '../../src/dynamics/concurrency/response-times.ts'

/** A simulated service. */
export interface Shape {
  readonly name: string
  /** `x-ms-dop-hint`. */
  readonly hint: number
  /** The speed of the request with the arrival number `index`; 1 is the speed of a single request. */
  readonly speed: (running: number, index: number) => number
  /** More concurrent requests are refused with 0x80072326. */
  readonly refusedBeyond: number
}

/** The requests of a mix: their share, and their mean work in milliseconds. */
export const MIX: readonly { readonly costClass: CostClass; readonly share: number; readonly ms: number }[] = [
  { costClass: 'read', share: 0.72, ms: 150 },
  { costClass: 'write', share: 0.25, ms: 300 },
  { costClass: 'batch', share: 0.03, ms: 1000 },
]

/** A service with `capacity` servers. Further requests queue. */
export function queueing(capacity: number, hint: number): Shape {
  return {
    name: `queues beyond ${capacity}, hint ${hint}`,
    hint,
    speed: (_running, index) => (index < capacity ? 1 : 0),
    refusedBeyond: Infinity,
  }
}

/** Beyond `knee` requests slow each other down, more than in proportion to their number. */
export function thrashing(knee: number, hint: number): Shape {
  return {
    name: `thrashes beyond ${knee}, hint ${hint}`,
    hint,
    speed: (running) => Math.min(1, (knee / running) ** 1.5),
    refusedBeyond: Infinity,
  }
}

/** Accepts more concurrent requests than are sent. */
export function ample(hint: number): Shape {
  return { name: `ample, hint ${hint}`, hint, speed: () => 1, refusedBeyond: Infinity }
}

/** Refuses more than `most` concurrent requests. */
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
