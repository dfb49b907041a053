import type { Places } from './places.ts'
import type { Answer, Outbound, Send } from './send.ts'

/** Sends when there is a place at Dynamics, and gives it back when the answer's body is over too. */
export function limitConcurrency(send: Send, places: Places): Send {
  async function within(request: Outbound): Promise<Answer> {
    let answer
    try {
      answer = await send(request)
    } catch (error) {
      places.giveBack()
      throw error
    }
    answer.body.whenOver(places.giveBack)
    return answer
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
