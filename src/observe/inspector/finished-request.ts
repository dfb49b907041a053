import type { FastifyReply, FastifyRequest } from 'fastify'

import type { Exchange } from '../../server/exchange.ts'
import type { ReachedTarget } from '../explain-request.ts'
import type { RequestFacts } from '../request-facts.ts'
import type { Captured } from './capture.ts'

/**
 * What the inspector needs of a finished request. References only: as long as nobody opens the page, nothing is
 * formatted. It holds on to neither the connection nor the request itself, which would take far more memory.
 */
export interface FinishedRequest {
  /** Milliseconds since 1970, when its head had arrived. */
  readonly at: number
  readonly method: string
  /** As it was written. */
  readonly requestTarget: string
  readonly rawHeaders: readonly string[]
  readonly facts: Pick<RequestFacts, 'status' | 'ms' | 'entitySet' | 'caller' | 'user'>
  /** `undefined`: it was refused before it was known who calls. */
  readonly caller: FastifyRequest['caller'] | undefined
  readonly user: FastifyRequest['user']
  /** Whether it says which user it is for, found or not: without that it would run as somebody else. */
  readonly namesUser: boolean
  readonly exchange: Exchange
  readonly reached: ReachedTarget | undefined
  /** The headers of Dynamics' response, flat. The exchange releases them at its end. */
  readonly responseHeaders: Exchange['responseHeaders']
  /** The names of the headers of a response that the gateway made. */
  readonly ownHeaders: readonly string[] | undefined
  readonly captured: Captured | undefined
}

/** Takes what the inspector needs from a request that is over. */
export function finishedOf(
  request: FastifyRequest,
  reply: FastifyReply,
  facts: FinishedRequest['facts'],
  reached: ReachedTarget | undefined,
  captured: Captured | undefined,
): FinishedRequest {
  const { exchange, raw, head } = request
  const caller = request.caller as FinishedRequest['caller']
  const { header, idHeader } = reached?.target.impersonation ?? {}
  return {
    at: Math.round(Date.now() - facts.ms),
    method: raw.method!,
    requestTarget: request.originalUrl,
    rawHeaders: raw.rawHeaders,
    facts,
    caller,
    user: request.user,
    namesUser:
      reached !== undefined &&
      (head.callerId !== undefined ||
        caller?.user !== undefined ||
        raw.headers[header!] !== undefined ||
        raw.headers[idHeader!] !== undefined),
    exchange,
    reached,
    responseHeaders: exchange.responseHeaders,
    ownHeaders: exchange.responseHeaders === undefined ? Object.keys(reply.getHeaders()) : undefined,
    captured,
  }
}

/** What the objects of a request take at most, without its texts. */
const OBJECT_BYTES = 4096

/** Bytes that a finished request holds on to: its texts, and the piece of memory that its response's head is part of. */
export function bytesOfFinished({ requestTarget, rawHeaders, responseHeaders, captured }: FinishedRequest): number {
  let bytes = OBJECT_BYTES + 2 * requestTarget.length
  for (const text of rawHeaders) bytes += 2 * text.length
  bytes += responseHeaders?.[0]?.buffer.byteLength ?? 0
  const { requestBody = '', responseBody = '' } = captured ?? {}
  return bytes + 2 * (requestBody.length + responseBody.length)
}
