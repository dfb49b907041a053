import type { FastifyReply, FastifyRequest } from 'fastify'

import type { Target } from '../config/schema.ts'
import { errorCodeIn } from '../dynamics/error-code.ts'
import { bodyError } from '../dynamics/explain-failures.ts'
import { withRetryAdvice } from '../dynamics/retry-advice.ts'
import type { UpstreamResponse, OutboundRequest, ResponseBody, Send } from '../dynamics/send.ts'
import { NotACollection } from '../errors.ts'
import type { Refusal } from '../observe/refusals.ts'
import { isJson } from '../odata/content-type.ts'
import type { OnForeign } from '../odata/header-links.ts'
import { isRead } from '../odata/methods.ts'
import { decode } from '../outbound/content-coding.ts'
import { ACCEPT_QUERY } from '../queries/query-text.ts'
import { addHeaders } from '../server/added-headers.ts'
import { KNOWS_QUERY } from '../server/caller-methods.ts'
import { noteError } from '../server/exchange.ts'
import type { Exchange } from '../server/exchange.ts'
import { rowsHead, writeAllPages } from './all-pages.ts'
import { responseBodyRewriter } from './body-rewriting.ts'
import { withFirstBytes } from './first-bytes.ts'
import { pageDetector, refuseForeign } from './foreign-response.ts'
import type { PreparedRequest } from './prepare-request.ts'
import { accepts } from './request-headers.ts'
import { responseHead } from './response-headers.ts'
import type { ResponseHead } from './response-headers.ts'
import { writeResponse } from './write-response.ts'

/** What the responses of one target have in common. */
export interface ResponderOptions {
  readonly target: Target
  /** Sends the requests for further pages. */
  readonly send: Send
  /** Whether the gateway is stopping, so that connections must not be kept alive. */
  readonly stopping: () => boolean
  /** Called with refusals of Dynamics. */
  readonly explain: (refusal: Refusal) => void
  /** Called with the host of a removed link in response headers. */
  readonly foreign: OnForeign
}

/** Sends the response of Dynamics to the caller. It throws while nothing has been sent, if it must not be forwarded. */
export type Respond = (
  response: UpstreamResponse,
  request: FastifyRequest,
  reply: FastifyReply,
  prepared: PreparedRequest,
) => void

/** Bytes of a decoded error body that are inspected. */
const MAX_ERROR_BYTES = 64 * 1024

/** Makes the function that responds for one target. */
export function responder({ target, send, stopping, explain, foreign }: ResponderOptions): Respond {
  return respond

  function respond(
    response: UpstreamResponse,
    request: FastifyRequest,
    reply: FastifyReply,
    prepared: PreparedRequest,
  ): void {
    const { exchange } = request
    const { outbound, map, limit } = prepared
    const { method, path } = outbound
    exchange.responseHeaders = response.headers
    const head = responseHead(response, map, foreign)
    const { status, headers, contentEncoding, coding: coded } = head
    exchange.record.dynamicsRequestId = head.requestId
    refuseForeign(response, head, path, target)
    const body = status < 400 ? response.body : explained(response.body, head, request)
    const isOfRows = limit !== undefined && status === 200
    if (isOfRows && !isJson(head.contentType)) throw new NotACollection('this address has no rows')
    if (isOfRows && method !== 'HEAD') return writeRows(response, headers, exchange, reply, prepared, limit)
    const transform = responseBodyRewriter(map, head, outbound, request.head.preferences, foreign)
    // The gateway may have asked for a coding that the caller does not accept, to keep the response.
    const mayPassCoding =
      coded === undefined || outbound.cacheableRead === undefined || accepts(outbound.headers, coded)
    const coding = transform === undefined && mayPassCoding ? undefined : coded
    if (contentEncoding !== undefined && coding === undefined) headers.push('content-encoding', contentEncoding)
    if (method === 'OPTIONS' && KNOWS_QUERY) headers.push('accept-query', ACCEPT_QUERY)
    addHeaders(headers, exchange)
    if (isRead(method)) headers.push('cache-status', `dynamics-gateway; ${exchange.record.cacheStatus}`)
    if (exchange.preferenceApplied !== undefined) headers.push('preference-applied', exchange.preferenceApplied)
    if (stopping()) headers.push('connection', 'close')
    writeResponse(body, reply.raw, {
      status,
      headers: isOfRows ? rowsHead(headers) : headers,
      contentLength: isOfRows ? undefined : head.contentLength,
      hasBody: method !== 'HEAD' && status !== 204 && status !== 304,
      coding,
      transform,
      pageDetector: pageDetector(head, path),
      refuse: bodyRefusal(body, reply, outbound),
    })
    measure(exchange)
  }

  /** Sends the rows of all pages, of which `response` is the first. */
  function writeRows(
    response: UpstreamResponse,
    headers: readonly string[],
    exchange: Exchange,
    reply: FastifyReply,
    { outbound, map }: PreparedRequest,
    limit: number,
  ): void {
    const head = rowsHead(headers)
    addHeaders(head, exchange)
    if (stopping()) head.push('connection', 'close')
    writeAllPages(response, {
      outbound,
      send,
      map,
      raw: reply.raw,
      headers: head,
      limit,
      refuse: bodyRefusal(response.body, reply, outbound),
      brokeOff: (error) => noteError(exchange, error),
    })
    measure(exchange)
  }

  /** The body of an error of Dynamics, which is explained when its first bytes arrive. */
  function explained(
    body: ResponseBody,
    { status, contentType, contentEncoding }: ResponseHead,
    { exchange: { record }, user, tokens }: FastifyRequest,
  ): ResponseBody {
    return withFirstBytes(body, (bytes) => {
      const error = decode(bytes, contentEncoding, MAX_ERROR_BYTES)
      record.dynamicsCode = error === undefined ? undefined : errorCodeIn(error)
      const asCaller = tokens !== undefined
      explain({ status, contentType, body: error, impersonated: user !== undefined && !asCaller, asCaller, record })
    })
  }
}

/** Notes how long the gateway itself took until the head was ready. */
function measure(exchange: Exchange): void {
  const { started, timings } = exchange
  exchange.gatewayMs = performance.now() - started - timings.token - timings.user - timings.wait - timings.dynamics
}

/** Responds with an error instead of a response that cannot be forwarded. */
export function refuse(reply: FastifyReply, cause: unknown, outbound: OutboundRequest): void {
  void reply.send(withRetryAdvice(bodyError(cause as Error), outbound))
}

/** Responds with an error when the body of a response turns out to be one that cannot be forwarded. */
function bodyRefusal(body: ResponseBody, reply: FastifyReply, outbound: OutboundRequest): (cause: unknown) => void {
  return (cause) => {
    body.dump()
    refuse(reply, cause, outbound)
  }
}
