import { LimitHolds, retryLater } from '../../errors.ts'
import { retryAfter } from '../../outbound/retry-after.ts'
import { bufferResponse } from '../buffered-response.ts'
import { sleep } from '../cancellation.ts'
import type { Stage } from '../chain.ts'
import type { OnEvent } from '../events.ts'
import { requestIds } from '../request-record.ts'
import { header, withHeader } from '../send.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../send.ts'
import { limitOf, retryDelay } from './parse.ts'
import type { Limit } from './parse.ts'
import type { PauseWindow } from './pause.ts'

/** Thrown when a pause began before a request was written. No byte of the request was sent. */
export const PAUSED = new Error('sending is paused')

export interface RetryLimits {
  readonly pauseWindow: PauseWindow
  /** The total wait of one request for limits, in milliseconds. */
  readonly maxRetryWait: number
  /** How many requests may wait at the same time. */
  readonly queue: number
  /** Called when Dynamics refused a request for too many concurrent ones. */
  readonly tooMany: () => void
  /** Called for each response. */
  readonly answered: (response: UpstreamResponse) => void
  readonly onEvent: OnEvent
}

/** A 429, parsed. */
interface Refusal {
  readonly refusal: UpstreamResponse
  readonly limit: Limit
  readonly delay: number
}

/** The pause for the concurrency limit, which ends as soon as some requests finish. */
const CONCURRENCY_PAUSE_MS = 1000

/**
 * Waits out Dynamics' service protection limits. A request that was refused with 429 was not executed, and is
 * retried after the Retry-After if it may wait that long. Until then no other request is sent either, because
 * that would extend the wait.
 *
 * @throws LimitHolds when the limit lasts longer than the request may wait, or its streamed body cannot be sent later
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
 */
export function respectLimits(
  next: Send,
  { pauseWindow, maxRetryWait, queue, tooMany, answered, onEvent }: RetryLimits,
): Stage {
  return {
    enter: (request) => (pauseWindow.isPaused() ? waitAndSend(request, undefined) : undefined),
    answered: (response, request) =>
      response.status === 429 ? waitAndSend(request, response) : succeeded(request, response),
    failed(error, request) {
      requirePaused(error, request)
      return waitAndSend(request, undefined)
    },
  }

  /** Throws any other error, and refuses a request whose body was lost with the connection on which it was held back. */
  function requirePaused(error: unknown, { body, record }: OutboundRequest): undefined {
    if (error !== PAUSED) throw error
    if (body === undefined || Buffer.isBuffer(body) || !body.destroyed) return undefined
    const wait = pauseWindow.remaining()
    onEvent({ kind: 'request-paused', wait, waits: false, ...requestIds(record) })
    throw retryLater(new LimitHolds(), wait)
  }

  function succeeded({ cancellation }: OutboundRequest, response: UpstreamResponse): UpstreamResponse {
    pauseWindow.succeeded(cancellation)
    answered(response)
    return response
  }

  /** Sends outside a pause, and again after each 429. `first` is a 429 that has already come. */
  async function waitAndSend(request: OutboundRequest, first: UpstreamResponse | undefined): Promise<UpstreamResponse> {
    const { cancellation } = request
    let waited = 0
    let attempts = 0
    let response = first ?? (await sendOutsidePause())
    while (response.status === 429) {
      const { refusal, limit, delay } = await read(request, response, ++attempts)
      const wait = Math.max(delay, pauseWindow.remaining())
      const waits = isRepeatable(request) && mayWait(request, waited, wait)
      onEvent({ kind: 'limit', limit, wait, waits, ...requestIds(request.record) })
      if (!waits) return withHeader(refusal, 'retry-after', seconds(wait))
      request.record.willResend(`limit-${limit}`)
      waited += await measured(
        request,
        limit === 'concurrency' ? sleep(cancellation, delay) : pauseWindow.wait(cancellation),
      )
      response = await sendOutsidePause()
    }
    return succeeded(request, response)

    async function sendOutsidePause(): Promise<UpstreamResponse> {
      let sent: UpstreamResponse | undefined
      while (sent === undefined) {
        while (pauseWindow.isPaused()) waited += await waitFor(request, waited)
        sent = await next(request).catch((error: unknown) => requirePaused(error, request))
      }
      return sent
    }
  }

  /** Reads a 429. The pause starts at once with the length of Retry-After, until the limit is known. */
  async function read(request: OutboundRequest, response: UpstreamResponse, attempts: number): Promise<Refusal> {
    const delay = retryDelay(retryAfter(header(response, 'retry-after'), Date.now()), attempts)
    const { isNew, shorten } = pauseWindow.start(delay)
    const refusal = await bufferResponse(response, request)
    const limit = limitOf(refusal.text)
    if (limit === 'concurrency') {
      shorten(CONCURRENCY_PAUSE_MS)
      tooMany()
    } else if (isNew) {
      onEvent({ kind: 'pause', wait: delay, ...requestIds(request.record) })
    }
    return { refusal, limit, delay }
  }

  async function waitFor(request: OutboundRequest, waited: number): Promise<number> {
    const wait = pauseWindow.remaining()
    // While a probe is in progress, it is not known yet whether there is still a limit.
    if (wait === 0) {
      await measured(request, pauseWindow.wait(request.cancellation))
      return 0
    }
    const waits = mayWait(request, waited, wait) && pauseWindow.waiting() < Math.max(queue, 1)
    onEvent({ kind: 'request-paused', wait, waits, ...requestIds(request.record) })
    if (!waits) throw retryLater(new LimitHolds(), wait)
    return measured(request, pauseWindow.wait(request.cancellation))
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
