import type { UpstreamResponse, OutboundRequest, Send } from '../send.ts'
import type { Semaphore } from './semaphore.ts'

/** Sends a request when a slot is free, and releases the slot when the body of the response has ended. */
export function limitConcurrency(send: Send, semaphore: Pick<Semaphore, 'acquire' | 'release'>): Send {
  function sendInSlot(request: OutboundRequest): Promise<UpstreamResponse> {
    return send(request).then(
      (response) => {
        response.body.onClose(() => semaphore.release(request))
        return response
      },
      (error) => {
        semaphore.release(request)
        throw error
      },
    )
  }

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

  return (request) => {
    let turn
    try {
      turn = semaphore.acquire(request)
    } catch (error) {
      return Promise.reject(error)
    }
    return turn === undefined ? sendInSlot(request) : sendWhenAdmitted(request, turn)
  }
}
