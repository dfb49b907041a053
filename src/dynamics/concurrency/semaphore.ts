import { QueueFull, retryLater } from '../../errors.ts'
import type { OnEvent } from '../events.ts'
import { requestIds } from '../request-record.ts'
import type { Priority, RequestRecord } from '../request-record.ts'
import type { OutboundRequest } from '../send.ts'
import { stateByKey } from '../state-by-key.ts'
import { createWaitingRequests } from './waiting-requests.ts'

/** The parts of a request that the semaphore needs. */
export type SlotRequest = Pick<OutboundRequest, 'fairnessKey' | 'priority' | 'cancellation' | 'record'>

/** Limits the concurrent requests at Dynamics, and decides which one is next. */
export interface Semaphore {
  /**
   * Acquires a slot. Returns a promise if none is free.
   *
   * @throws QueueFull when too many requests wait
   */
  readonly acquire: (request: SlotRequest) => Promise<void> | undefined
  readonly release: (request: SlotRequest) => void
  /** Admits waiting requests, after the limit has grown. */
  readonly admitWaiters: () => void
  readonly isFull: () => boolean
  readonly state: () => {
    readonly running: number
    readonly waiting: number
    /** The waiting requests that are background requests. */
    readonly waitingInBackground: number
    readonly limit: number
  }
}

export interface SemaphoreOptions {
  /** The number of slots now. */
  readonly limit: () => number
  /** The most slots of one key while others wait. */
  readonly share: () => number
  /** The most requests that may wait. */
  readonly queue: number
  readonly onEvent: OnEvent
}

/** A request that waits for a slot. */
interface Waiter {
  readonly request: SlotRequest
  readonly admit: () => void
  readonly reject: (error: Error) => void
}

/** The slots of one key. */
interface OccupiedSlots {
  count: number
}

/** The share of the slots up to which background requests get their turns ahead of interactive ones. */
const BACKGROUND_SHARE = 0.1

/**
 * Slots, and a queue. Fairness keys take turns at free slots; a key at its full share lets others go first. When the
 * queue is full, the key with the most waiting requests loses its newest one: a busy caller cannot crowd out the
 * others.
 */
export function createSemaphore({ limit, share, queue, onEvent }: SemaphoreOptions): Semaphore {
  const waiters = createWaitingRequests<Waiter>(queue)
  const slotsOf = stateByKey(createOccupiedSlots, ({ count }) => count === 0)
  let running = 0
  let background = 0

  const hasItsShare = (key: string): boolean => slotsOf(key).count >= share()

  function occupySlot({ fairnessKey, priority, record }: SlotRequest, slots: number): void {
    running++
    if (priority === 'background') background++
    slotsOf(fairnessKey).count++
    record.slotAcquired(running, slots)
  }

  function admitWaiters(): void {
    for (let slots = limit(); running < slots; slots = limit()) {
      const backgroundAllowed = background < Math.max(1, slots * BACKGROUND_SHARE)
      const waiter = waiters.shift(hasItsShare, backgroundAllowed)
      if (waiter === undefined) return
      occupySlot(waiter.request, slots)
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
      const slots = limit()
      if (running < slots && waiters.size() === 0) {
        occupySlot(request, slots)
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
      slotsOf(fairnessKey).count--
      if (waiters.size() > 0) admitWaiters()
    },
    admitWaiters,
    isFull: () => running >= limit(),
    state: () => ({ running, waiting: waiters.size(), waitingInBackground: waiters.background(), limit: limit() }),
  }
}

function createOccupiedSlots(): OccupiedSlots {
  return { count: 0 }
}
