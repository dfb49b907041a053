import { DynamicsTooSlow } from '../errors.ts'
import type { Stage } from './chain.ts'
import type { OutboundRequest, Send } from './send.ts'
import { TimeLimit, TimeLimits } from './time-limits.ts'

/** The longest delay of a timer in Node. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Ends requests that exceed their time, wherever they wait. */
export interface Deadlines {
  /** Starts the time of a request. */
  readonly start: (request: OutboundRequest) => void
  /** The request is over: its time no longer matters. */
  readonly stop: (request: OutboundRequest) => void
}

/** Ends a request when its total time is over, also while the body of its response arrives. */
export function limitTotalTime(deadlines: Deadlines): Stage {
  return {
    enter(request) {
      deadlines.start(request)
      return undefined
    },
    ended: deadlines.stop,
  }
}

/** Ends a request at its own `deadline`, unless the response has begun. */
export function keepDeadline(next: Send): Stage {
  return {
    enter: (request) => (request.deadline === undefined ? undefined : untilDeadline(next, request, request.deadline)),
  }
}

/**
 * Gives each request `totalTimeout` milliseconds. That time is the same for all, so one timer watches the oldest.
 */
export function createDeadlines(totalTimeout: number): Deadlines {
  const limits = new TimeLimits()
  let timer: NodeJS.Timeout | undefined

  function cancelOldest(): void {
    const now = performance.now()
    timer = undefined
    for (let limit = limits.oldest; limit !== undefined; limit = limits.oldest) {
      const left = limit.end - now
      if (left > 0) {
        timer = setTimeout(cancelOldest, Math.min(Math.max(left, 100), MAX_TIMER_MS)).unref()
        return
      }
      limits.remove(limit)
      limit.cancellation.cancel(
        new DynamicsTooSlow(`the request took longer than ${totalTimeout} ms in total (TOTAL_TIMEOUT)`),
      )
    }
  }

  return {
    start(request) {
      request.timeLimit = new TimeLimit(request.cancellation, performance.now() + totalTimeout)
      limits.add(request.timeLimit)
      timer ??= setTimeout(cancelOldest, Math.min(totalTimeout, MAX_TIMER_MS)).unref()
    },
    stop: ({ timeLimit }) => limits.remove(timeLimit!),
  }
}

async function untilDeadline(send: Send, request: OutboundRequest, deadline: number): ReturnType<Send> {
  const expire = (): void => {
    request.cancellation.cancel(new DynamicsTooSlow("the caller's time is up (Prefer: wait)"))
  }
  const timer = setTimeout(expire, Math.max(deadline - performance.now(), 0))
  try {
    return await send(request)
  } finally {
    clearTimeout(timer)
  }
}
