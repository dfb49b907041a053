import type { OnEvent } from '../dynamics/events.ts'
import type { Limit } from '../dynamics/limits/parse.ts'
import type { Explanation } from '../explanations/explanation.ts'
import { isFault } from './request-facts.ts'
import type { RequestFacts } from './request-facts.ts'

/** Recent events of one target, for the status page. Uses constant memory. */
export interface Activity {
  /** Counts a finished request. */
  readonly requestDone: (facts: Pick<RequestFacts, 'status' | 'code'>) => void
  /** Counts service protection limits. */
  readonly watch: OnEvent
  /** Records the last fault that was not caused by the request. */
  readonly faulted: (explanation: Explanation) => void
  readonly recent: () => RecentActivity
}

export interface RecentActivity {
  /** The last 15 minutes, the oldest first. */
  readonly traffic: readonly Traffic[]
  /** Responses of 429 in the last five minutes, by limit. */
  readonly limits: ReadonlyMap<Limit, number>
  readonly fault: { readonly at: number; readonly explanation: Explanation } | undefined
}

/** Requests that ended within one slot of time. */
export interface Traffic {
  readonly ok: number
  /** 4xx, and requests for a response from memory only where there was none. */
  readonly refused: number
  /** Other 5xx, and disconnected callers. */
  readonly failed: number
}

const SLOT_MS = 15_000
const SLOTS = 60
const LIMIT_SLOTS = 20

interface Slot {
  /** The time slot that it counts; an older one counts as empty. */
  time: number
  ok: number
  refused: number
  failed: number
  limits: Map<Limit, number> | undefined
}

/**
 * Creates empty counts.
 *
 * @param now milliseconds of a clock that never goes back
 */
export function createActivity(now: () => number = () => performance.now()): Activity {
  const slots = Array.from({ length: SLOTS }, (): Slot => emptySlot(-1))
  let fault: RecentActivity['fault']

  function present(): Slot {
    const time = Math.floor(now() / SLOT_MS)
    const index = time % SLOTS
    if (slots[index]!.time !== time) slots[index] = emptySlot(time)
    return slots[index]!
  }

  return {
    requestDone(facts) {
      const slot = present()
      if (facts.status < 400) slot.ok += 1
      else if (facts.status === 499 || isFault(facts)) slot.failed += 1
      else slot.refused += 1
    },
    watch(event) {
      if (event.kind !== 'limit') return
      const limits = (present().limits ??= new Map())
      limits.set(event.limit, (limits.get(event.limit) ?? 0) + 1)
    },
    faulted(explanation) {
      fault = { at: Date.now(), explanation }
    },
    recent() {
      const last = Math.floor(now() / SLOT_MS)
      const inOrder = Array.from({ length: SLOTS }, (_, index) => {
        const time = last - SLOTS + 1 + index
        const slot = slots[((time % SLOTS) + SLOTS) % SLOTS]!
        return slot.time === time && time >= 0 ? slot : emptySlot(time)
      })
      const limits = new Map<Limit, number>()
      for (const slot of inOrder.slice(-LIMIT_SLOTS)) {
        for (const [limit, count] of slot.limits ?? []) limits.set(limit, (limits.get(limit) ?? 0) + count)
      }
      return { traffic: inOrder.map(({ ok, refused, failed }) => ({ ok, refused, failed })), limits, fault }
    },
  }
}

function emptySlot(time: number): Slot {
  return { time, ok: 0, refused: 0, failed: 0, limits: undefined }
}
