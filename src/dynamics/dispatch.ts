import type { Dispatcher } from 'undici'

import type { OutboundAgent } from '../outbound/agent.ts'
import { ResponseHandler } from './response-handler.ts'
import type { Gate } from './response-handler.ts'
import type { OutboundRequest, Send } from './send.ts'

/** Timeouts of one request, in milliseconds. */
export interface Timeouts {
  /** For the head of the response, from the moment the request is on a connection. */
  readonly head: number
  /** Within the response's body, between two chunks. */
  readonly idle: number
}

/**
 * Puts a request with its `authorization` on a connection of `reads` or `writes`. A request that must not be repeated,
 * or is a retry, uses young connections, which Dynamics has hardly ever just closed.
 *
 * @throws Failure without a response, or the reason of `gate` not to send
 */
export function dispatch(
  agent: Pick<OutboundAgent, 'reads' | 'writes' | 'connectionUse'>,
  origin: string,
  timeouts: Timeouts,
  gate: Gate,
): Send {
  return (request) =>
    new Promise((resolve, reject) => {
      // A retry must not meet a second connection that Dynamics has just closed.
      const isFirstRead = request.repeatable === 'read' && request.record.attempts === 0
      const dispatcher = isFirstRead ? agent.reads : agent.writes
      const reason = request.cancellation.reason ?? gate.holdReason(request.cancellation)
      if (reason !== undefined) return reject(reason)
      const now = performance.now()
      request.record.attemptStarted(now, request.method)
      dispatcher.dispatch(
        {
          origin,
          path: request.path,
          method: request.method as Dispatcher.HttpMethod,
          headers: headersOf(request),
          body: request.body ?? null,
          // Coarse. An earlier deadline for the head has its own timer, in `deadline`.
          headersTimeout: timeouts.head,
          bodyTimeout: timeouts.idle,
        },
        new ResponseHandler(request, now, agent, gate, resolve, reject),
      )
    })
}

function headersOf({ headers, authorization, record }: OutboundRequest): string[] {
  const traceparent = record.attemptTraceparent()
  // `concat` copies once; a literal with `...` grows several times.
  return headers.concat(
    traceparent === undefined
      ? ['authorization', authorization!]
      : ['authorization', authorization!, 'traceparent', traceparent],
  )
}
