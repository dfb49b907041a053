import { chain } from '../chain.ts'
import type { Stage } from '../chain.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../send.ts'
import type { Semaphore } from './semaphore.ts'

/** Sends a request when a slot is free, and releases the slot when the body of the response has ended. */
export function limitConcurrency(next: Send, semaphore: Pick<Semaphore, 'acquire' | 'release'>): Stage {
  // For a request that has waited: the `ended` of this stage is not called then.
  const sendInSlot = chain([() => ({ ended: semaphore.release })], next)

  async function sendWhenAdmitted(request: OutboundRequest, turn: Promise<void>): Promise<UpstreamResponse> {
    const began = performance.now()
    try {
      await turn
    } finally {
      const ms = performance.now() - began
      request.timings.wait += ms
      request.record.waited('queue', began, ms)
    }
    return sendInSlot(request)
  }

  return {
    enter(request) {
      const turn = semaphore.acquire(request)
      return turn === undefined ? undefined : sendWhenAdmitted(request, turn)
    },
    ended: semaphore.release,
  }
}
