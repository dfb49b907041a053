import { DynamicsTooSlow } from '../errors.ts'
import type { Outbound, Send } from './send.ts'

/** Ends requests whose time is over, wherever they wait. */
export interface Deadlines {
  readonly send: Send
  readonly close: () => void
}

/**
 * Ends a request at its own `deadline`, if the answer has not begun by then, and at `totalTimeout` after it came, also within
 * the answer's body. A deadline is rare and has a timer; the total is the same for all, so one timer watches the oldest.
 */
export function keepDeadlines(send: Send, totalTimeout: number): Deadlines {
  /** In the order in which they came, with the time until which they may take. */
  const running = new Map<Outbound, number>()
  let timer: NodeJS.Timeout | undefined

  function watch(): void {
    const now = performance.now()
    for (const [request, end] of running) {
      if (end > now) {
        timer = setTimeout(watch, Math.max(end - now, 100)).unref()
        return
      }
      running.delete(request)
      request.departure.leave(new DynamicsTooSlow(`the request took longer than ${totalTimeout} ms in all (TOTAL_TIMEOUT)`))
    }
    timer = undefined
  }

  return {
    async send(request) {
      running.set(request, performance.now() + totalTimeout)
      timer ??= setTimeout(watch, totalTimeout).unref()
      let answer
      try {
        answer = request.deadline === undefined ? await send(request) : await untilDeadline(send, request, request.deadline)
      } catch (error) {
        running.delete(request)
        throw error
      }
      answer.body.whenOver(() => running.delete(request))
      return answer
    },
    close: () => clearTimeout(timer),
  }
}

async function untilDeadline(send: Send, request: Outbound, deadline: number): ReturnType<Send> {
  const late = (): void => request.departure.leave(new DynamicsTooSlow('the time that the caller gave is over (Prefer: wait)'))
  const timer = setTimeout(late, Math.max(deadline - performance.now(), 0))
  try {
    return await send(request)
  } finally {
    clearTimeout(timer)
  }
}
