import { QueueFull, retryLater } from '../../errors.ts'
import type { OnEvent } from '../events.ts'
import { requestIds } from '../request-record.ts'
import type { Priority, RequestRecord } from '../request-record.ts'
import type { OutboundRequest } from '../send.ts'
import { createWaitingRequests } from './waiting-requests.ts'

/** What is known of a request that takes a place. */
export type SlotRequest = Pick<OutboundRequest, 'fairnessKey' | 'priority' | 'cancellation' | 'record'>

/** How many requests may be at Dynamics at once, and which is next. */
export interface Semaphore {
  /**
   * Takes a place; a promise where none is free.
   *
   * @throws QueueFull when too many requests wait
   */
  readonly acquire: (request: SlotRequest) => Promise<void> | undefined
  readonly release: (request: SlotRequest) => void
  /** Lets in who waits, after there have become more places. */
  readonly admitWaiters: () => void
  readonly isFull: () => boolean
  readonly state: () => {
    readonly running: number
    readonly waiting: number
    /** How many of those that wait are background requests. */
    readonly waitingInBackground: number
    readonly limit: number
  }
}

export interface SemaphoreOptions {
  /** How many places there are now. */
  readonly limit: () => number
  /** How many places one key may have while others wait. */
  readonly share: () => number
  /** How many requests may wait. */
  readonly queue: number
  readonly onEvent: OnEvent
}

/** A request that waits for a place. */
interface Waiter {
  readonly request: SlotRequest
  readonly admit: () => void
  readonly reject: (error: Error) => void
}

/** Share of the places up to which waiting background requests get their turns ahead of interactive ones. */
const BACKGROUND_SHARE = 0.1

/**
 * Places, and a queue. Fairness keys take turns at free places; who has its share lets the others go first. When the
 * queue is full, the key with most waiting requests loses its newest: a busy caller cannot crowd out the others.
 */
export function createSemaphore({ limit, share, queue, onEvent }: SemaphoreOptions): Semaphore {
  const waiters = createWaitingRequests<Waiter>(queue)
  /** Places that are taken, by key. */
  const slotsByKey = new Map<string, number>()
  let running = 0
  let background = 0

  const hasItsShare = (key: string): boolean => (slotsByKey.get(key) ?? 0) >= share()

  function occupySlot({ fairnessKey, priority, record }: SlotRequest): void {
    running++
    if (priority === 'background') background++
    slotsByKey.set(fairnessKey, (slotsByKey.get(fairnessKey) ?? 0) + 1)
    record.slotAcquired(running, limit())
  }

  function admitWaiters(): void {
    while (running < limit()) {
      const backgroundAllowed = background < Math.max(1, limit() * BACKGROUND_SHARE)
      const waiter = waiters.shift(hasItsShare, backgroundAllowed)
      if (waiter === undefined) return
      occupySlot(waiter.request)
      waiter.admit()
    }
  }

  function displaceFor(lane: { readonly priority: Priority; readonly key: string }, record: RequestRecord): void {
    const full = retryLater(new QueueFull(), 1000)
    const displaced = waiters.displacedBy(lane)
    onEvent({ kind: 'queue-full', ...requestIds(displaced?.request.record ?? record) })
    if (displaced === undefined) throw full
    displaced.reject(full)
  }

  return {
    acquire(request) {
      const { fairnessKey, priority = 'interactive', cancellation, record } = request
      if (running < limit() && waiters.size() === 0) {
        occupySlot(request)
        return undefined
      }
      if (cancellation.reason !== undefined) throw cancellation.reason
      const lane = { priority, key: fairnessKey }
      if (waiters.size() >= queue) displaceFor(lane, record)
      return cancellation.wait((done, fail) => {
        const waiter: Waiter = {
          request,
          admit: done,
          reject(error) {
            waiters.remove(lane, waiter)
            fail(error)
          },
        }
        waiters.push(lane, waiter)
        admitWaiters()
        return () => waiters.remove(lane, waiter)
      })
    },
    release({ fairnessKey, priority }) {
      running--
      if (priority === 'background') background--
      const remaining = slotsByKey.get(fairnessKey)! - 1
      if (remaining > 0) slotsByKey.set(fairnessKey, remaining)
      else slotsByKey.delete(fairnessKey)
      if (waiters.size() > 0) admitWaiters()
    },
    admitWaiters,
    isFull: () => running >= limit(),
    state: () => ({ running, waiting: waiters.size(), waitingInBackground: waiters.background(), limit: limit() }),
  }
}
