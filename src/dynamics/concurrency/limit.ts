import type { Places } from './fair-queue.ts'
import type { Answer, Outbound, Send } from '../send.ts'

/** Sends when there is a place at Dynamics, and gives it back when the answer's body is over too. */
export function limitConcurrency(send: Send, places: Places): Send {
  function within(request: Outbound): Promise<Answer> {
    return send(request).then(leaveWhenOver, leave)
  }

  function leaveWhenOver(answer: Answer): Answer {
    answer.body.whenOver(places.giveBack)
    return answer
  }

  function leave(error: unknown): never {
    places.giveBack()
    throw error
  }

  async function inTurn(request: Outbound, turn: Promise<void>): Promise<Answer> {
    const began = performance.now()
    try {
      await turn
    } finally {
      request.spent.wait += performance.now() - began
    }
    return within(request)
  }

  return (request) => {
    let turn
    try {
      turn = places.take(request)
    } catch (error) {
      return Promise.reject(error)
    }
    return turn === undefined ? within(request) : inTurn(request, turn)
  }
}
