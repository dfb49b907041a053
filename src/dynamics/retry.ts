import { bufferResponse } from './buffered-response.ts'
import { sleep } from './cancellation.ts'
import type { Stage } from './chain.ts'
import type { OnEvent } from './events.ts'
import { failureKind } from './explain-failures.ts'
import { Failure } from './failure.ts'
import { codeOf } from './limits/parse.ts'
import { requestIds } from './request-record.ts'
import type { RetryBudget } from './retry-budget.ts'
import { RETRYABLE } from './retry-policy.ts'
import type { RetryableFailure } from './retry-policy.ts'
import { header } from './send.ts'
import type { UpstreamResponse, OutboundRequest, Send } from './send.ts'

/** The longest random delay before a retry when Dynamics has an error. */
const RETRY_JITTER_MS = 200

/** How often a create with a primary key is retried. The caller would only do the same later. */
const MAX_KEYED_RETRIES = 3

/** Retries where that can help and is safe, within `budget`: once, or three times for a create with a key. */
export function retry(next: Send, budget: RetryBudget, onEvent: OnEvent): Stage {
  return {
    enter() {
      budget.sent()
      return undefined
    },
    answered: (response, request) => afterResponse(request, response, retriesOf(request)),
    failed: (error, request) => afterFailure(request, error, retriesOf(request)),
  }

  /** @param retries how often the request may be retried */
  function afterResponse(
    request: OutboundRequest,
    response: UpstreamResponse,
    retries: number,
  ): UpstreamResponse | Promise<UpstreamResponse> {
    return response.status < 500 ? response : afterServerError(request, response, retries)
  }

  async function afterServerError(
    request: OutboundRequest,
    refusal: UpstreamResponse,
    retries: number,
  ): Promise<UpstreamResponse> {
    let looked
    try {
      looked = await failureIn(request, refusal)
    } catch (error) {
      return afterFailure(request, error, retries)
    }
    const { response, reason } = looked
    if (!mayRetry(request, reason)) return response
    response.body.dump()
    await pauseBefore(request)
    return again(request, retries)
  }

  async function afterFailure(request: OutboundRequest, error: unknown, retries: number): Promise<UpstreamResponse> {
    if (!(error instanceof Failure) || !mayRetry(request, failureOf(error))) throw error
    if (retries < MAX_KEYED_RETRIES && request.repeatable === 'keyed') await pauseBefore(request)
    return again(request, retries)
  }

  function again(request: OutboundRequest, retries: number): Promise<UpstreamResponse> {
    request.onRetry?.()
    const left = retries - 1
    if (left === 0) return next(request)
    return next(request).then(
      (response) => afterResponse(request, response, left),
      (error: unknown) => afterFailure(request, error, left),
    )
  }

  function mayRetry(request: OutboundRequest, reason: RetryableFailure | undefined): boolean {
    if (reason === undefined || !isRetryable(request, reason)) return false
    // A retry after a stale connection adds no load: Dynamics has not seen the request.
    const mayRetry = reason === 'stale-connection' || budget.take()
    onEvent({ kind: mayRetry ? 'retry' : 'retry-budget', reason, ...requestIds(request.record) })
    if (mayRetry) request.record.willResend(reason)
    return mayRetry
  }
}

function retriesOf({ repeatable }: OutboundRequest): number {
  return repeatable === 'keyed' ? MAX_KEYED_RETRIES : 1
}

async function pauseBefore({ cancellation, record }: OutboundRequest): Promise<void> {
  const began = performance.now()
  try {
    await sleep(cancellation, RETRY_JITTER_MS * (0.5 + Math.random() / 2))
  } finally {
    record.waited('retry', began, performance.now() - began)
  }
}

function isRetryable({ repeatable, body }: OutboundRequest, reason: RetryableFailure): boolean {
  return RETRYABLE[reason][repeatable] && (body === undefined || Buffer.isBuffer(body))
}

function failureOf(failure: Failure): RetryableFailure | undefined {
  switch (failureKind(failure)) {
    case 'unreachable':
      return 'no-connection'
    case 'broke-off':
      return failure.wasIdle ? 'stale-connection' : 'broke-off'
    case 'untrusted':
    case 'connect-timeout':
    case 'head-timeout':
    case 'answer-invalid':
    case 'request-invalid':
    case 'stopping':
    case 'ours':
      return undefined
  }
}

/** Inspects a 5xx. It may read its body, and returns a replacement response then. */
async function failureIn(
  request: OutboundRequest,
  response: UpstreamResponse,
): Promise<{ response: UpstreamResponse; reason: RetryableFailure | undefined }> {
  if (response.status === 500 && request.repeatable !== 'never') {
    const buffered = await bufferResponse(response, request)
    return { response: buffered, reason: isDeadlock(buffered.text) ? 'deadlock' : undefined }
  }
  // A Retry-After is for the caller.
  const busy = response.status >= 502 && response.status <= 504 && header(response, 'retry-after') === undefined
  return { response, reason: busy ? 'busy' : undefined }
}

/** Whether the body of a 500 reports a deadlock in SQL Server (1205), whose victim was rolled back. */
export function isDeadlock(body: string): boolean {
  return codeOf(body) === 0x80044150 && /\b1205\b/.test(body)
}
