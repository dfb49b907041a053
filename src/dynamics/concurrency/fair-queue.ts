import { QueueFull, retryLater } from '../../errors.ts'
import type { OnEvent } from '../events.ts'
import { requestIds } from '../request-record.ts'
import type { RequestRecord } from '../request-record.ts'
import type { OutboundRequest } from '../send.ts'

/** The places at Dynamics: how many requests may be there at once, and who is next. */
export interface Semaphore {
  /**
   * Takes a place; a promise where there is none yet.
   *
   * @throws QueueFull when too many wait
   */
  readonly acquire: (
    request: Pick<OutboundRequest, 'fairnessKey' | 'cancellation' | 'record'>,
  ) => Promise<void> | undefined
  readonly release: () => void
  /** Dynamics had too many requests at once: fewer from now on, and slowly more again. */
  readonly lower: () => void
  /** Dynamics suggests so many requests at once. */
  readonly suggest: (parallel: number) => void
  readonly state: () => { readonly running: number; readonly waiting: number; readonly limit: number }
}

interface Waiting {
  readonly record: RequestRecord
  readonly go: () => void
  readonly turnAway: (error: Error) => void
}

/** Requests that are refused within this time were there together. */
const SAME_BURST_MS = 1000
/** After so long without a sign, one more request is let in at once. */
const RAISE_INTERVAL_MS = 2000
/** As `STEP`, where the next step is one at which Dynamics had too many before. */
const CAUTIOUS_RAISE_INTERVAL_MS = 30_000

/**
 * Places for `most` requests, and a queue for `queue` more. Places that become free go around among the fairness keys,
 * and where the queue is full the key with most waiting loses its newest: a busy caller cannot crowd out the others.
 *
 * @param clock milliseconds, rising
 */
export function createSemaphore(
  { most: max, queue, watch }: { readonly most: number; readonly queue: number; readonly watch: OnEvent },
  clock: () => number = () => performance.now(),
): Semaphore {
  let ceiling = max
  let limit = max
  /** So many at once were too many. */
  let tooMany = Infinity
  /**
   * How many were there when the last refusals began, and how many of them were refused: the others were not too many.
   */
  let burst = { at: -Infinity, atOnce: 0, refused: 0 }
  let announced = max
  /** When the limit was last changed, on the clock of `performance.now()`. */
  let changed = 0
  let running = 0
  let waiting = 0
  /** In the order in which they are served next. */
  const queues = new Map<string, Waiting[]>()

  function fill(): void {
    if (limit < ceiling) rise()
    while (waiting > 0 && running < limit) {
      const [key, line] = queues.entries().next().value!
      const next = line.shift()!
      queues.delete(key)
      if (line.length > 0) queues.set(key, line)
      waiting--
      running++
      next.go()
    }
  }

  function rise(): void {
    const since = clock() - changed
    if (limit + 1 >= tooMany) {
      if (since < CAUTIOUS_RAISE_INTERVAL_MS) return
      tooMany = limit + 2
    }
    const steps = Math.floor(since / RAISE_INTERVAL_MS)
    if (steps > 0) set(Math.min(limit + steps, ceiling, tooMany - 1))
  }

  function set(next: number): void {
    changed = clock()
    limit = next
  }

  function announce(): void {
    announced = limit
    watch({ kind: 'concurrency', limit })
  }

  function makeRoom(newcomer: string, record: RequestRecord): void {
    let longest: Waiting[] = []
    for (const line of queues.values()) if (line.length > longest.length) longest = line
    const full = retryLater(new QueueFull(), 1000)
    // At least two ahead, or the newcomer would take the place of one with the same right.
    const stays = longest.length > (queues.get(newcomer)?.length ?? 0) + 1
    watch({ kind: 'queue-full', ...requestIds(stays ? longest.at(-1)!.record : record) })
    if (!stays) throw full
    longest.at(-1)!.turnAway(full)
  }

  function leave(key: string, one: Waiting): void {
    const line = queues.get(key)!
    line.splice(line.indexOf(one), 1)
    if (line.length === 0) queues.delete(key)
    waiting--
  }

  return {
    acquire({ fairnessKey, cancellation, record }) {
      if (limit < ceiling) rise()
      if (limit !== announced) announce()
      if (running < limit && waiting === 0) {
        running++
        return undefined
      }
      if (cancellation.reason !== undefined) throw cancellation.reason
      if (waiting >= queue) makeRoom(fairnessKey, record)
      return cancellation.wait((done, fail) => {
        const one: Waiting = {
          record,
          go: done,
          turnAway(error) {
            leave(fairnessKey, one)
            fail(error)
          },
        }
        const line = queues.get(fairnessKey)
        if (line === undefined) queues.set(fairnessKey, [one])
        else line.push(one)
        waiting++
        fill()
        return () => leave(fairnessKey, one)
      })
    },
    release() {
      running--
      if (waiting > 0) fill()
    },
    lower() {
      const now = clock()
      if (now - burst.at > SAME_BURST_MS) {
        // The one that was refused has given its place back.
        burst = { at: now, atOnce: running + 1, refused: 0 }
        tooMany = Math.max(burst.atOnce, 2)
      }
      burst.refused++
      set(Math.max(1, Math.min(limit, burst.atOnce - burst.refused)))
    },
    suggest(parallel) {
      const next = Math.max(1, Math.min(max, Math.floor(parallel)))
      if (next === ceiling) return
      const followed = limit === ceiling
      ceiling = next
      if (limit > ceiling || followed) set(Math.max(1, Math.min(ceiling, tooMany - 1)))
      fill()
    },
    state: () => ({ running, waiting, limit }),
  }
}
