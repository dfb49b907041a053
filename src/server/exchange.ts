import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import type { FastifyReply, FastifyRequest } from 'fastify'

import { Cancellation } from '../dynamics/cancellation.ts'
import { RequestRecord } from '../dynamics/request-record.ts'
import type { Timings } from '../dynamics/send.ts'
import { traceOf } from '../dynamics/trace-context.ts'
import type { TraceContext } from '../dynamics/trace-context.ts'
import { causesOf } from '../logging/logged-error.ts'
import { OwnError } from '../logging/own-error.ts'
import { newRequestId } from './request-id.ts'

/** One request and its response in the gateway, the source of the log line and the metrics. */
export interface Exchange {
  /** `performance.now()` when the request's head had arrived. */
  readonly started: number
  /** The caller's well-formed `x-request-id`, or a new one. */
  readonly id: string
  readonly timings: Timings
  /** The record of its events. */
  readonly record: RequestRecord
  /** CORS headers, flat; `undefined` when no origin is listed. */
  cors: readonly string[] | undefined
  /** Milliseconds of the gateway itself until the response's head was ready; `undefined` before. */
  gatewayMs: number | undefined
  /** Ends the request early: when the caller disconnects, or after a timeout. */
  readonly cancellation: Cancellation
  /** The headers of Dynamics' response, flat: name, value, name, value; `undefined` before it and after the end. */
  responseHeaders: readonly Buffer[] | undefined
  /** The status that was written to the connection, past the response; `undefined`: none was. */
  status: number | undefined
  /** The gateway's own preference that was applied, for `Preference-Applied`. */
  preferenceApplied: string | undefined
  /** The code of the gateway's own error. */
  code: string | undefined
  /** The message of that error for the caller. */
  message: string | undefined
  /** The causes of that error, for the log. */
  causes: readonly string[] | undefined
}

/** The caller closed its connection before the response was complete. */
export class ClientDisconnected extends OwnError {
  override readonly name = 'ClientDisconnected'
}

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange
  }
}

/** An id that is safe in a log line and in a header. */
const REQUEST_ID = /^[\w.:-]{1,128}$/

/** Called once, when nothing more will be written. */
export type OnExchangeDone = (request: FastifyRequest, reply: FastifyReply) => void

/**
 * Starts the exchange of `request`. When the caller disconnects before the response is complete, the request is
 * cancelled.
 */
export function beginExchange(request: FastifyRequest, reply: FastifyReply, done: OnExchangeDone): Exchange {
  const { headers, socket } = request.raw
  const { raw: response } = reply as { readonly raw: WithReply }
  const id = idOf(headers['x-request-id'] as string | undefined)
  const exchange = new RequestExchange(id, traceOf(headers['traceparent']), done)
  request.exchange = exchange
  ;(socket as WithExchange)[LAST] = exchange
  response[REPLY] = reply
  response.on('close', onClose)
  return exchange
}

/** Ends the exchange of a response. One function for all, because `once` and a closure cost more than its work. */
function onClose(this: WithReply): void {
  const reply = this[REPLY]
  if (reply === undefined) return
  this[REPLY] = undefined
  const { request } = reply
  const { cancellation, done } = request.exchange as RequestExchange
  const { socket } = this.req as { readonly socket: WithExchange }
  // The rest of the request's body may still fail.
  if (this.req.complete && socket[LAST] === request.exchange) socket[LAST] = undefined
  if (!this.writableFinished) cancellation.cancel(new ClientDisconnected('the caller closed its connection'))
  done(request, reply)
  // A request that has waited for long is in V8's old generation. What it references stays until a full collection.
  request.exchange.responseHeaders = undefined
}

/** Fastify's reply for a response; absent once its exchange has ended. */
const REPLY = Symbol('reply')

interface WithReply extends ServerResponse {
  [REPLY]?: FastifyReply | undefined
}

/** Notes an error of the gateway's own after the head of the response has gone out. */
export function noteError(exchange: Exchange, error: Error & { readonly code?: string }): void {
  exchange.code = error.code
  exchange.message = error.message
  exchange.causes = causesOf(error)
}

/** The request's id: the caller's own if it is well-formed, or a new one. */
export function idOf(requestId: string | undefined): string {
  return requestId !== undefined && REQUEST_ID.test(requestId) ? requestId : newRequestId()
}

/**
 * The last exchange on a connection, for error responses below the gateway's handler. It is released when both the
 * request and its response are complete: kept until the next request, it would reach V8's old generation.
 */
export function lastExchange(socket: Socket): Exchange | undefined {
  return (socket as WithExchange)[LAST]
}

/** On the connection and not on each request: a property of a long-lived object costs no memory a request. */
const LAST = Symbol('the last exchange')

interface WithExchange {
  [LAST]?: Exchange | undefined
}

/** A class, because one is created for every request. */
class RequestExchange implements Exchange {
  readonly started = performance.now()
  readonly id: string
  readonly record: RequestRecord
  readonly timings: Timings = { token: 0, user: 0, wait: 0, dynamics: 0 }
  cors: readonly string[] | undefined = undefined
  gatewayMs: number | undefined = undefined
  readonly cancellation = new Cancellation()
  responseHeaders: readonly Buffer[] | undefined = undefined
  status: number | undefined = undefined
  preferenceApplied: string | undefined = undefined
  code: string | undefined = undefined
  message: string | undefined = undefined
  causes: readonly string[] | undefined = undefined
  readonly done: OnExchangeDone

  constructor(id: string, trace: TraceContext | undefined, done: OnExchangeDone) {
    this.id = id
    this.done = done
    this.record = new RequestRecord(id, this.started, trace)
  }
}
