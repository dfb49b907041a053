import type { Answer, OutboundRequest, Send } from '../send.ts'
import type { Semaphore } from './semaphore.ts'

/** Sends when there is a place at Dynamics, and gives it back when the response's body is over too. */
export function limitConcurrency(send: Send, semaphore: Semaphore): Send {
  function within(request: OutboundRequest): Promise<Answer> {
    return send(request).then(leaveWhenOver, leave)
  }

  function leaveWhenOver(answer: Answer): Answer {
    answer.body.onClose(semaphore.release)
    return answer
  }

  function leave(error: unknown): never {
    semaphore.release()
    throw error
  }

  async function inTurn(request: OutboundRequest, turn: Promise<void>): Promise<Answer> {
    const began = performance.now()
    try {
      await turn
    } finally {
      const ms = performance.now() - began
      request.timings.wait += ms
      request.record.waited('queue', began, ms)
    }
    return within(request)
  }

  return (request) => {
    let turn
    try {
      turn = semaphore.acquire(request)
    } catch (error) {
      return Promise.reject(error)
    }
    return turn === undefined ? within(request) : inTurn(request, turn)
  }
}
