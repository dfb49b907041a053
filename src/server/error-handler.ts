import type { FastifyReply, FastifyRequest } from 'fastify'

import { InternalFault, isGatewayError } from '../errors.ts'
import type { RetryLater } from '../errors.ts'
import { causesOf } from '../logging/logged-error.ts'
import { ALLOW } from './caller-methods.ts'
import { ClientDisconnected } from './exchange.ts'
import { drain } from './request-body.ts'

/** An error in the form for callers. */
type ResponseError = Error &
  RetryLater & { readonly code?: string; readonly statusCode?: number; readonly challenge?: string }

/**
 * Responds with an error in OData's format, with its stable code. Other errors than the gateway's own are sent
 * without their text, which may be confidential; the request's log line has the causes.
 */
export function respondWithError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { exchange, raw } = request
  // The caller already has an error, because the rest of its body did not come as it should.
  if (exchange.status !== undefined) return void reply.hijack()
  if (thrown instanceof ClientDisconnected || reply.raw.headersSent || reply.raw.destroyed) {
    reply.hijack()
    reply.raw.destroy()
    return
  }
  const error = own(thrown)
  const status = error.statusCode!
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
  // A caller that waits for 100 Continue has not sent its body yet, and may or may not send it now.
  if (raw.headers.expect !== undefined) reply.header('connection', 'close')
  drain(raw)
  reply.serializer(String)
  void reply.send(errorBody(error))
}

/** `{"error":{"code":"GATEWAY_…","message":"…"}}` */
function errorBody({ code, message }: { readonly code?: string; readonly message: string }): string {
  return JSON.stringify({ error: { code, message } })
}

/** `thrown` if it is one of ours, otherwise a replacement. */
function own(thrown: unknown): ResponseError {
  return isGatewayError(thrown) ? (thrown as ResponseError) : new InternalFault({ cause: thrown as Error })
}
