import type { Priority } from '../request-record.ts'
import { createFairQueue } from './fair-queue.ts'

/** The queue of a request: by priority, then by key. */
export interface Lane {
  readonly priority: Priority
  readonly key: string
}

/** Requests that wait for a slot, interactive ones ahead of background ones. */
export interface WaitingRequests<T> {
  readonly size: () => number
  /** The number of background requests among them. */
  readonly background: () => number
  readonly push: (lane: Lane, entry: T) => void
  /**
   * Removes and returns the next one.
   *
   * @param hasItsShare whether a key has its full share of the slots
   * @param backgroundAllowed whether a background request may go ahead of interactive ones, if it is its turn
   */
  readonly shift: (hasItsShare: (key: string) => boolean, backgroundAllowed: boolean) => T | undefined
  readonly remove: (lane: Lane, entry: T) => void
  /** The entry that a newcomer displaces when the queue is full; `undefined`: the newcomer is refused. */
  readonly displacedBy: (newcomer: Lane) => T | undefined
}

/** While both wait, one background request is sent after at most this many interactive ones. */
const INTERACTIVE_PER_BACKGROUND = 9
/** The share of the queue that interactive newcomers leave to background requests. */
const BACKGROUND_SHARE = 0.1

/** @param capacity the most entries */
export function createWaitingRequests<T>(capacity: number): WaitingRequests<T> {
  const interactive = createFairQueue<T>()
  const background = createFairQueue<T>()
  /** Interactive requests that went ahead of waiting background ones. */
  let overtakes = 0

  const queueOf = (priority: Priority): typeof interactive => (priority === 'background' ? background : interactive)

  return {
    size: () => interactive.size() + background.size(),
    background: () => background.size(),
    push: ({ priority, key }, entry) => queueOf(priority).push(key, entry),
    shift(isServed, mayBackground) {
      const isTurn = background.size() > 0 && mayBackground && overtakes >= INTERACTIVE_PER_BACKGROUND
      if (interactive.size() > 0 && !isTurn) {
        overtakes = background.size() > 0 ? overtakes + 1 : 0
        return interactive.shift(isServed)
      }
      overtakes = 0
      return background.shift(isServed)
    },
    remove: ({ priority, key }, entry) => queueOf(priority).remove(key, entry),
    displacedBy({ priority, key }) {
      if (priority === 'background') return background.displacedBy(key)
      if (background.size() > capacity * BACKGROUND_SHARE) return background.newestOfLongest()
      return interactive.displacedBy(key)
    },
  }
}
