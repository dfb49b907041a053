import { DynamicsTooSlow } from '../errors.ts'
import type { Cancellation } from './cancellation.ts'
import type { OutboundRequest, Send } from './send.ts'

/** The longest delay of a timer in Node. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Ends requests that exceed their time, wherever they wait. */
export interface Deadlines {
  /** Starts the time of a request. The returned function stops it. */
  readonly start: (cancellation: Cancellation) => () => void
  /** Stops the timer. */
  readonly close: () => void
}

/**
 * Ends a request at its own `deadline` if the response has not begun, and after the time of `deadlines` also
 * within the response's body.
 */
export function keepDeadlines(send: Send, deadlines: Deadlines): Send {
  return (request) => {
    const release = deadlines.start(request.cancellation)
    const answering = request.deadline === undefined ? send(request) : untilDeadline(send, request, request.deadline)
    return answering.then(
      (response) => {
        response.body.onClose(release)
        return response
      },
      (error) => {
        release()
        throw error
      },
    )
  }
}

/**
 * Gives each request `totalTimeout` milliseconds. That time is the same for all, so one timer watches the oldest.
 */
export function createDeadlines(totalTimeout: number): Deadlines {
  // In order of arrival, so the oldest is first. A linked list saves only 30 ns per request.
  const running = new Set<Running>()
  let timer: NodeJS.Timeout | undefined

  function cancelOldest(): void {
    const now = performance.now()
    timer = undefined
    for (const one of running) {
      if (one.end > now) {
        timer = setTimeout(cancelOldest, Math.min(Math.max(one.end - now, 100), MAX_TIMER_MS)).unref()
        return
      }
      running.delete(one)
      one.cancellation.cancel(
        new DynamicsTooSlow(`the request took longer than ${totalTimeout} ms in total (TOTAL_TIMEOUT)`),
      )
    }
  }

  return {
    start(cancellation) {
      const one: Running = { cancellation, end: performance.now() + totalTimeout }
      running.add(one)
      timer ??= setTimeout(cancelOldest, Math.min(totalTimeout, MAX_TIMER_MS)).unref()
      return () => void running.delete(one)
    },
    close: () => clearTimeout(timer),
  }
}

/** A request in progress, and when its time ends. */
interface Running {
  readonly cancellation: Cancellation
  readonly end: number
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
