import { LimitHolds, retryLater } from '../../errors.ts'
import { retryAfter } from '../../outbound/retry-after.ts'
import { bufferAnswer } from '../buffered-response.ts'
import { sleep } from '../cancellation.ts'
import type { OnEvent } from '../events.ts'
import { requestIds } from '../request-record.ts'
import { header, withHeader } from '../send.ts'
import type { Answer, OutboundRequest, Send } from '../send.ts'
import { limitOf, retryDelay } from './parse.ts'
import type { Limit } from './parse.ts'
import type { PauseWindow } from './pause.ts'

/** Thrown when a hold began while a request was on its way to be sent; nothing of it was. */
export const PAUSED = new Error('held back')

export interface RetryLimits {
  readonly hold: PauseWindow
  /** Milliseconds that one request may wait for limits in all. */
  readonly maxRetryWait: number
  /** How many requests may wait at once. */
  readonly queue: number
  /** Dynamics had too many requests at once. */
  readonly tooMany: () => void
  /** Dynamics answered. */
  readonly answered: (answer: Answer) => void
  readonly onEvent: OnEvent
}

/** A 429, and what it says. */
interface Refusal {
  readonly refusal: Answer
  readonly limit: Limit
  readonly delay: number
}

/** Nothing was sent where a hold began just then. */
function unlessPaused(error: unknown): undefined {
  if (error !== PAUSED) throw error
}

/** A limit on requests at once is over as soon as some of them are; the others do not wait long for it. */
const CONCURRENCY_PAUSE_MS = 1000

/**
 * Waits out Dynamics' service protection limits. A request that was refused with 429 was not carried out, and is sent
 * again when Dynamics says so, while its caller has that much patience; until then no other request is sent either, for
 * that makes the wait longer.
 *
 * @throws LimitHolds when a limit holds for longer than the request may wait
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
 */
export function respectLimits(
  send: Send,
  { hold, maxRetryWait, queue, tooMany, answered, onEvent: watch }: RetryLimits,
): Send {
  return (request) => {
    if (hold.isPaused()) return waitAndSend(request, undefined)
    return send(request).then(
      (answer) => (answer.status === 429 ? waitAndSend(request, answer) : succeeded(request, answer)),
      (error) => (error === PAUSED ? waitAndSend(request, undefined) : Promise.reject(error)),
    )
  }

  function succeeded({ cancellation }: OutboundRequest, answer: Answer): Answer {
    hold.succeeded(cancellation)
    answered(answer)
    return answer
  }

  /** Sends when nothing holds, and again after each 429, of which `first` may have come already. */
  async function waitAndSend(request: OutboundRequest, first: Answer | undefined): Promise<Answer> {
    const { cancellation } = request
    let waited = 0
    let attempts = 0
    for (let next = first; ; next = undefined) {
      let answer = next
      while (answer === undefined) {
        while (hold.isPaused()) waited += await waitFor(request, waited)
        answer = await send(request).catch(unlessPaused)
      }
      if (answer.status !== 429) return succeeded(request, answer)
      const { refusal, limit, delay } = await read(request, answer, ++attempts)
      const wait = Math.max(delay, hold.remaining())
      const waits = isRepeatable(request) && mayWait(request, waited, wait)
      watch({ kind: 'limit', limit, wait, waits, ...requestIds(request.record) })
      if (!waits) return withHeader(refusal, 'retry-after', seconds(wait))
      request.record.resends(`limit-${limit}`)
      waited += await measured(request, limit === 'concurrency' ? sleep(cancellation, delay) : hold.wait(cancellation))
    }
  }

  /** Reads a 429. The hold begins at once, and is as long as it says until the limit is known. */
  async function read(request: OutboundRequest, answer: Answer, attempts: number): Promise<Refusal> {
    const delay = retryDelay(retryAfter(header(answer, 'retry-after'), Date.now()), attempts)
    const { extends: news, shorten: relax } = hold.start(delay)
    const refusal = await bufferAnswer(answer, request)
    const limit = limitOf(refusal.text)
    if (limit === 'concurrency') {
      relax(CONCURRENCY_PAUSE_MS)
      tooMany()
    } else if (news) {
      watch({ kind: 'hold', wait: delay, ...requestIds(request.record) })
    }
    return { refusal, limit, delay }
  }

  async function waitFor(request: OutboundRequest, waited: number): Promise<number> {
    const wait = hold.remaining()
    // While a trial is under way it is not known yet whether there is anything to wait for.
    if (wait === 0) {
      await measured(request, hold.wait(request.cancellation))
      return 0
    }
    const waits = mayWait(request, waited, wait) && hold.waiting() < Math.max(queue, 1)
    watch({ kind: 'held', wait, waits, ...requestIds(request.record) })
    if (!waits) throw retryLater(new LimitHolds(), wait)
    return measured(request, hold.wait(request.cancellation))
  }

  function mayWait({ deadline }: OutboundRequest, waited: number, wait: number): boolean {
    return waited + wait <= maxRetryWait && (deadline === undefined || performance.now() + wait < deadline)
  }
}

function isRepeatable({ body }: OutboundRequest): boolean {
  return body === undefined || Buffer.isBuffer(body)
}

async function measured({ timings, record }: OutboundRequest, waiting: Promise<void>): Promise<number> {
  const began = performance.now()
  try {
    await waiting
  } finally {
    const ms = performance.now() - began
    timings.wait += ms
    record.waited('pause', began, ms)
  }
  return performance.now() - began
}

function seconds(milliseconds: number): string {
  return String(Math.max(1, Math.ceil(milliseconds / 1000)))
}
