import { QueueFull, retryLater } from '../errors.ts'
import type { Outbound } from './send.ts'
import type { Watch } from './watch.ts'

/** The places at Dynamics: how many requests may be there at once, and who is next. */
export interface Places {
  /**
   * Takes a place; a promise where there is none yet.
   *
   * @throws QueueFull when too many wait
   */
  readonly take: (request: Pick<Outbound, 'fairnessKey' | 'departure'>) => Promise<void> | undefined
  readonly giveBack: () => void
  /** Dynamics had too many requests at once: fewer from now on, and slowly more again. */
  readonly lower: () => void
  /** Dynamics suggests so many requests at once. */
  readonly suggest: (parallel: number) => void
  readonly state: () => { readonly running: number, readonly waiting: number, readonly limit: number }
}

interface Waiting {
  readonly go: () => void
  readonly turnAway: (error: Error) => void
}

/** Requests that are refused together are one sign, not many. */
const SAME = 1000
/** After so long without a sign, one more request is tried at once. */
const STEP = 2000

/**
 * Places for `most` requests, and a queue for `queue` more. Places that become free go around among the fairness keys, and
 * where the queue is full the key with most waiting loses its newest: a busy caller cannot crowd out the others.
 */
export function createPlaces({ most, queue, watch }: { readonly most: number, readonly queue: number, readonly watch: Watch }): Places {
  let ceiling = most
  let limit = most
  /** When the limit was last changed, on the clock of `performance.now()`. */
  let changed = 0
  let running = 0
  let waiting = 0
  /** In the order in which they are served next. */
  const lines = new Map<string, Waiting[]>()

  function fill(): void {
    if (limit < ceiling) rise()
    while (waiting > 0 && running < limit) {
      const [key, line] = lines.entries().next().value!
      const next = line.shift()!
      lines.delete(key)
      if (line.length > 0) lines.set(key, line)
      waiting--
      running++
      next.go()
    }
  }

  function rise(): void {
    const steps = Math.floor((performance.now() - changed) / STEP)
    if (steps > 0) set(Math.min(limit + steps, ceiling))
  }

  function set(next: number): void {
    changed = performance.now()
    if (next === limit) return
    limit = next
    watch({ kind: 'concurrency', limit })
  }

  function makeRoom(newcomer: string): void {
    let longest: Waiting[] = []
    for (const line of lines.values()) if (line.length > longest.length) longest = line
    watch({ kind: 'queue-full' })
    const full = retryLater(new QueueFull(), 1000)
    // At least two ahead, or the newcomer would take the place of one with the same right.
    if (longest.length <= (lines.get(newcomer)?.length ?? 0) + 1) throw full
    longest.at(-1)!.turnAway(full)
  }

  function leave(key: string, one: Waiting): void {
    const line = lines.get(key)!
    line.splice(line.indexOf(one), 1)
    if (line.length === 0) lines.delete(key)
    waiting--
  }

  return {
    take({ fairnessKey, departure }) {
      if (limit < ceiling) rise()
      if (running < limit && waiting === 0) {
        running++
        return undefined
      }
      if (departure.reason !== undefined) throw departure.reason
      if (waiting >= queue) makeRoom(fairnessKey)
      return new Promise((resolve, reject) => {
        const one: Waiting = {
          go() {
            departure.onLeave = undefined
            resolve()
          },
          turnAway(error) {
            leave(fairnessKey, one)
            departure.onLeave = undefined
            reject(error)
          },
        }
        departure.onLeave = one.turnAway
        const line = lines.get(fairnessKey)
        if (line === undefined) lines.set(fairnessKey, [one])
        else line.push(one)
        waiting++
        fill()
      })
    },
    giveBack() {
      running--
      if (waiting > 0) fill()
    },
    lower() {
      if (performance.now() - changed < SAME && limit < ceiling) return
      set(Math.max(1, Math.floor(limit / 2)))
    },
    suggest(parallel) {
      const next = Math.max(1, Math.min(most, Math.floor(parallel)))
      if (next === ceiling) return
      const followed = limit === ceiling
      ceiling = next
      if (limit > ceiling || followed) set(ceiling)
      fill()
    },
    state: () => ({ running, waiting, limit }),
  }
}
