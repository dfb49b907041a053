import type { FastifyReply, FastifyRequest } from 'fastify'

import { BadRequest, InternalFault, isGatewayError } from '../errors.ts'
import type { RetryLater } from '../errors.ts'
import { causesOf } from '../logged-error.ts'
import { ALLOW } from './caller-methods.ts'
import { ClientDisconnected } from './exchange.ts'
import { drain } from './request-body.ts'

/** An error as the caller sees it. */
type Answerable = Error &
  RetryLater & { readonly code?: string; readonly statusCode?: number; readonly challenge?: string }

/**
 * Answers an error in OData's format, with its stable code. What is not one of the gateway's own errors is answered
 * without its text, which may hold what a caller must not see; the request's log line has the causes.
 */
export function answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { exchange, raw } = request
  if (thrown instanceof ClientDisconnected || reply.raw.headersSent || reply.raw.destroyed) {
    reply.hijack()
    reply.raw.destroy()
    return
  }
  const error = own(thrown)
  const status = error.statusCode ?? 500
  exchange.code = error.code
  exchange.message = error.message
  if (status >= 500) exchange.causes = causesOf(error)
  reply.code(status).headers({
    'content-type': 'application/json; odata.metadata=minimal',
    'odata-version': '4.0',
    'cache-control': 'no-store',
  })
  if (error.retryAfter !== undefined) reply.header('retry-after', String(error.retryAfter))
  if (status === 401) reply.header('www-authenticate', error.challenge ?? 'Bearer')
  if (status === 405) reply.header('allow', ALLOW)
  // Who waits to be told to go on has sent nothing yet, and may or may not send it now.
  if (raw.headers.expect !== undefined) reply.header('connection', 'close')
  drain(raw)
  reply.serializer(String)
  void reply.send(errorBody(error))
}

/** `{"error":{"code":"GATEWAY_…","message":"…"}}` */
function errorBody({ code, message }: { readonly code?: string; readonly message: string }): string {
  return JSON.stringify({ error: { code, message } })
}

/** `thrown` itself if it is one of ours, else what stands for it. */
function own(thrown: unknown): Answerable {
  const error = thrown as Answerable
  if (isGatewayError(error)) return error
  if (error.code === 'FST_ERR_BAD_URL') {
    return new BadRequest('The path is not well-formed. A % must be followed by two hexadecimal digits.', {
      cause: error,
    })
  }
  return new InternalFault({ cause: error })
}
