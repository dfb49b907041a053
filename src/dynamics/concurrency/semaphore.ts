import { QueueFull, retryLater } from '../../errors.ts'
import type { OnEvent } from '../events.ts'
import { requestIds } from '../request-record.ts'
import type { RequestRecord } from '../request-record.ts'
import type { OutboundRequest } from '../send.ts'
import { createAdaptiveLimit } from './adaptive-limit.ts'
import { createFairQueue } from './fair-queue.ts'

/** How many requests may be at Dynamics at once, and which is next. */
export interface Semaphore {
  /**
   * Takes a place; a promise where none is free.
   *
   * @throws QueueFull when too many requests wait
   */
  readonly acquire: (
    request: Pick<OutboundRequest, 'fairnessKey' | 'cancellation' | 'record'>,
  ) => Promise<void> | undefined
  readonly release: () => void
  /** Dynamics refused a request because there were too many at once. */
  readonly lower: () => void
  /** Follows the degree of parallelism that Dynamics suggests. */
  readonly suggest: (parallel: number) => void
  readonly state: () => { readonly running: number; readonly waiting: number; readonly limit: number }
}

/** A request that waits for a place. */
interface Waiter {
  readonly record: RequestRecord
  readonly admit: () => void
  readonly turnAway: (error: Error) => void
}

/**
 * Places for at most `most` requests, and a queue for `queue` more. Fairness keys take turns at free places. When the
 * queue is full, the key with most waiting requests loses its newest: a busy caller cannot crowd out the others.
 *
 * @param clock milliseconds, rising
 */
export function createSemaphore(
  { most: max, queue, onEvent }: { readonly most: number; readonly queue: number; readonly onEvent: OnEvent },
  clock: () => number = () => performance.now(),
): Semaphore {
  const limit = createAdaptiveLimit(max, clock)
  const waiters = createFairQueue<Waiter>()
  let running = 0
  let announced = max

  function admitWaiters(): void {
    limit.raise()
    while (running < limit.current()) {
      const waiter = waiters.shift()
      if (waiter === undefined) return
      running++
      waiter.admit()
    }
  }

  function announceChange(): void {
    if (limit.current() === announced) return
    announced = limit.current()
    onEvent({ kind: 'concurrency', limit: announced })
  }

  function makeRoomFor(newcomer: string, record: RequestRecord): void {
    const full = retryLater(new QueueFull(), 1000)
    const displaced = waiters.displacedBy(newcomer)
    onEvent({ kind: 'queue-full', ...requestIds(displaced?.record ?? record) })
    if (displaced === undefined) throw full
    displaced.turnAway(full)
  }

  return {
    acquire({ fairnessKey, cancellation, record }) {
      limit.raise()
      announceChange()
      if (running < limit.current() && waiters.size() === 0) {
        running++
        return undefined
      }
      if (cancellation.reason !== undefined) throw cancellation.reason
      if (waiters.size() >= queue) makeRoomFor(fairnessKey, record)
      return cancellation.wait((done, fail) => {
        const waiter: Waiter = {
          record,
          admit: done,
          turnAway(error) {
            waiters.remove(fairnessKey, waiter)
            fail(error)
          },
        }
        waiters.push(fairnessKey, waiter)
        admitWaiters()
        return () => waiters.remove(fairnessKey, waiter)
      })
    },
    release() {
      running--
      if (waiters.size() > 0) admitWaiters()
    },
    // The refused request has released its place already.
    lower: () => limit.lower(running + 1),
    suggest(parallel) {
      if (limit.suggest(parallel)) admitWaiters()
    },
    state: () => ({ running, waiting: waiters.size(), limit: limit.current() }),
  }
}
