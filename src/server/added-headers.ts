import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

import { hasWaited } from '../dynamics/send.ts'
import type { Timings } from '../dynamics/send.ts'
import type { Exchange } from './exchange.ts'
import { formatMs } from './format-ms.ts'

/**
 * Adds to `headers`, flat, the headers of every response to a readable request: the request's
 * id, `Server-Timing`, and the CORS headers.
 */
export function addHeaders(headers: string[], { id, timings, cors }: Added): void {
  headers.push('x-request-id', id, 'server-timing', serverTiming(timings))
  if (cors !== undefined) headers.push(...cors)
}

/** Adds them to the responses that the gateway itself makes: errors, probes, pages, responses to preflights. */
function addedHeaders(app: FastifyInstance, _options: object, registered: () => void): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    const headers: string[] = []
    addHeaders(headers, request.exchange)
    for (let index = 0; index < headers.length; index += 2) reply.header(headers[index]!, headers[index + 1])
    done(null, payload)
  })
  registered()
}

export default fp(addedHeaders, { name: 'added-headers', fastify: '5.x' })

type Added = Pick<Exchange, 'id' | 'timings' | 'cors'>

/** @see https://www.w3.org/TR/server-timing/ */
function serverTiming(timings: Timings): string {
  return `${hasWaited(timings) ? waitsText(timings) : NO_WAITS}, dynamics;dur=${formatMs(timings.dynamics)}`
}

function waitsText({ token, user, wait }: Omit<Timings, 'dynamics'>): string {
  return `token;dur=${formatMs(token)}, user;dur=${formatMs(user)}, wait;dur=${formatMs(wait)}`
}

/** The usual text. */
const NO_WAITS = waitsText({ token: 0, user: 0, wait: 0 })
