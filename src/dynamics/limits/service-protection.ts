import { LimitHolds, retryLater } from '../../errors.ts'
import { pause } from '../cancellation.ts'
import type { Hold } from './pause.ts'
import { keep, withHeader } from '../buffered-response.ts'
import { limitOf, retryAfter, retryDelay } from './parse.ts'
import type { Limit } from './parse.ts'
import { header } from '../send.ts'
import type { Answer, Outbound, Send } from '../send.ts'
import type { Watch } from '../events.ts'

/** Thrown when a hold began while a request was on its way to be sent; nothing of it was. */
export const HELD = new Error('held back')

export interface Patient {
  readonly hold: Hold
  /** Milliseconds that one request may wait for limits in all. */
  readonly maxRetryWait: number
  /** How many requests may wait at once. */
  readonly queue: number
  /** Dynamics had too many requests at once. */
  readonly tooMany: () => void
  /** Dynamics answered. */
  readonly answered: (answer: Answer) => void
  readonly watch: Watch
}

/** A 429, and what it says. */
interface Refusal {
  readonly refusal: Answer
  readonly limit: Limit
  readonly delay: number
}

/** Nothing was sent where a hold began just then. */
function unlessHeld(error: unknown): undefined {
  if (error !== HELD) throw error
}

/** A limit on requests at once is over as soon as some of them are; the others do not wait long for it. */
const CONCURRENCY_HOLD = 1000

/**
 * Waits out Dynamics' service protection limits. A request that was refused with 429 was not carried out, and is sent
 * again when Dynamics says so, while its caller has that much patience; until then no other request is sent either, for
 * that makes the wait longer.
 *
 * @throws LimitHolds when a limit holds for longer than the request may wait
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
 */
export function respectLimits(send: Send, { hold, maxRetryWait, queue, tooMany, answered, watch }: Patient): Send {
  return (request) => {
    if (hold.holds()) return patiently(request, undefined)
    return send(request).then(
      (answer) => answer.status === 429 ? patiently(request, answer) : took(request, answer),
      (error) => error === HELD ? patiently(request, undefined) : Promise.reject(error),
    )
  }

  function took({ departure }: Outbound, answer: Answer): Answer {
    hold.taken(departure)
    answered(answer)
    return answer
  }

  /** Sends when nothing holds, and again after each 429, of which `first` may have come already. */
  async function patiently(request: Outbound, first: Answer | undefined): Promise<Answer> {
    const { departure } = request
    let waited = 0
    let attempts = 0
    for (let next = first; ; next = undefined) {
      let answer = next
      while (answer === undefined) {
        while (hold.holds()) waited += await waitFor(request, waited)
        answer = await send(request).catch(unlessHeld)
      }
      if (answer.status !== 429) return took(request, answer)
      const { refusal, limit, delay } = await read(request, answer, ++attempts)
      const wait = Math.max(delay, hold.remaining())
      const waits = isRepeatable(request) && mayWait(request, waited, wait)
      watch({ kind: 'limit', limit, wait, waits })
      if (!waits) return withHeader(refusal, 'retry-after', seconds(wait))
      waited += await measured(request, limit === 'concurrency' ? pause(departure, delay) : hold.wait(departure))
    }
  }

  /** Reads a 429. The hold begins at once, and is as long as it says until the limit is known. */
  async function read(request: Outbound, answer: Answer, attempts: number): Promise<Refusal> {
    const delay = retryDelay(retryAfter(header(answer, 'retry-after'), Date.now()), attempts)
    const { news, relax } = hold.begin(delay)
    const refusal = await keep(answer, request)
    const limit = limitOf(refusal.text)
    if (limit === 'concurrency') {
      relax(CONCURRENCY_HOLD)
      tooMany()
    } else if (news) {
      watch({ kind: 'hold', wait: delay })
    }
    return { refusal, limit, delay }
  }

  async function waitFor(request: Outbound, waited: number): Promise<number> {
    const wait = hold.remaining()
    // While a trial is under way it is not known yet whether there is anything to wait for.
    if (wait === 0) {
      await measured(request, hold.wait(request.departure))
      return 0
    }
    const waits = mayWait(request, waited, wait) && hold.waiting() < Math.max(queue, 1)
    watch({ kind: 'held', wait, waits })
    if (!waits) throw retryLater(new LimitHolds(), wait)
    return measured(request, hold.wait(request.departure))
  }

  function mayWait({ deadline }: Outbound, waited: number, wait: number): boolean {
    return waited + wait <= maxRetryWait && (deadline === undefined || performance.now() + wait < deadline)
  }
}

function isRepeatable({ body }: Outbound): boolean {
  return body === undefined || Buffer.isBuffer(body)
}

async function measured({ spent }: Outbound, waiting: Promise<void>): Promise<number> {
  const began = performance.now()
  try {
    await waiting
  } finally {
    spent.wait += performance.now() - began
  }
  return performance.now() - began
}

function seconds(milliseconds: number): string {
  return String(Math.max(1, Math.ceil(milliseconds / 1000)))
}
