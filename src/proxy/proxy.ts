import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance } from 'fastify'

import { BadBatch, BatchTooLarge } from '../errors.ts'
import { MalformedBatch, OversizedBatch, RefusedPart } from '../odata/batch.ts'
import { CALLER_METHODS } from '../server/caller-methods.ts'
import { awaitsContinue } from '../server/request-body.ts'
import { requestPreparation } from './prepare-request.ts'
import type { PreparationOptions } from './prepare-request.ts'
import { refuse, responder } from './respond.ts'
import type { ResponderOptions } from './respond.ts'

/** What all requests to one target, and their responses, have in common. */
export type ProxyOptions = PreparationOptions & ResponderOptions

/** Forwards every request below a prefix to one target, and returns its response. */
export async function proxy(app: FastifyInstance, options: ProxyOptions): Promise<void> {
  const { send } = options
  const prepare = requestPreparation(options)
  const respond = responder(options)

  // The last hook of a request sends it, before Fastify's validation and the handler of http-proxy, which would parse
  // the address three times, to find out whether it leaves the target. The door has checked that byte for byte.
  app.addHook('onRequest', (request, reply, _neverCalled) => {
    const prepared = prepare(request)
    const { outbound } = prepared
    // The caller waits for 100 Continue before it sends its body.
    if (outbound.body !== undefined && awaitsContinue(request.raw)) reply.raw.writeContinue()
    send(outbound).then(
      (response) => {
        try {
          respond(response, request, reply, prepared)
        } catch (cause) {
          // The response head must not be forwarded: nothing has been sent yet.
          response.body.dump()
          refuse(reply, cause, outbound)
        }
      },
      (error: unknown) => void reply.send(refusalOf(error)),
    )
  })
  await app.register(httpProxy, {
    // Never used, and harmless if it were.
    upstream: 'http://gateway.invalid',
    httpMethods: [...CALLER_METHODS],
    routes: ['/'],
  })
}

/** A malformed `$batch` is the caller's error. */
function refusalOf(error: unknown): unknown {
  if (error instanceof OversizedBatch) return new BatchTooLarge(error.limit, { cause: error })
  return error instanceof MalformedBatch || error instanceof RefusedPart
    ? new BadBatch(error.message, { cause: error })
    : error
}
