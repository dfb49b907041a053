import type { IncomingMessage } from 'node:http'

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import type { Cancellation } from '../dynamics/cancellation.ts'
import { QueryTooLong } from '../errors.ts'
import { MAX_BATCHED_ADDRESS_CHARACTERS } from '../odata/address-length.ts'
import { textOf } from '../odata/text-transform.ts'
import { awaitsContinue } from '../server/request-body.ts'
import type {} from './effective-request.ts'
import { ACCEPT_QUERY, queryIn, requireQueryType } from './query-text.ts'

/**
 * Hook: handles a `QUERY` (RFC 10008) or a `POST` to `…/$query` (OData 4.01) as a GET. It reads the body, and appends
 * the query options in it to those of the URL. All later hooks see that GET.
 *
 * @see https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html#PassingQueryOptionsintheRequestBody
 */
function bodyQueries(app: FastifyInstance, _options: object, registered: () => void): void {
  app.decorateRequest('equivalentGet', undefined)
  app.addHook('onRequest', (request, reply, done) => {
    const resource = resourceOfQuery(request)
    if (resource === undefined) done()
    else readEquivalentGet(resource, request, reply, done)
  })
  registered()
}

/** Reads the body of a query, and sets the GET that it stands for. */
function readEquivalentGet(
  resource: string,
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
): void {
  const [, query] = splitTarget(request.originalUrl)
  readQuery(request, reply).then(
    (options) => {
      const all = [query, options].filter((text) => text !== '').join('&')
      request.equivalentGet = all === '' ? resource : `${resource}?${all}`
      done(request.equivalentGet.length > MAX_BATCHED_ADDRESS_CHARACTERS ? new QueryTooLong() : undefined)
    },
    (error: Error) => {
      reply.header('accept-query', ACCEPT_QUERY)
      done(error)
    },
  )
}

export default fp(bodyQueries, { name: 'body-queries', fastify: '5.x', dependencies: ['head'] })

/** Whether a request is one that is handled as a GET, or refused. */
export function hasQueryInBody(request: Pick<FastifyRequest, 'method' | 'originalUrl'>): boolean {
  return resourceOfQuery(request) !== undefined
}

/** The path of the resource that is queried; `undefined` for all other requests. */
function resourceOfQuery({ method, originalUrl }: Pick<FastifyRequest, 'method' | 'originalUrl'>): string | undefined {
  if (method !== 'QUERY' && method !== 'POST') return undefined
  const [path] = splitTarget(originalUrl)
  return method === 'QUERY' ? path : QUERY_PATH.exec(path)?.[1]
}

const QUERY_PATH = /^(.*[^/])\/(?:\$|%24)query\/?$/i

function splitTarget(target: string): [path: string, query: string] {
  const queryStart = target.indexOf('?')
  return queryStart === -1 ? [target, ''] : [target.slice(0, queryStart), target.slice(queryStart + 1)]
}

async function readQuery({ raw, exchange }: FastifyRequest, reply: FastifyReply): Promise<string> {
  const { 'content-type': contentType, 'content-encoding': contentEncoding, 'content-length': length } = raw.headers
  requireQueryType({ contentType, contentEncoding })
  if (Number(length ?? 0) > MAX_BODY_BYTES) throw new QueryTooLong()
  if (awaitsContinue(raw)) reply.raw.writeContinue()
  return queryIn(await bodyOf(raw, exchange.cancellation), contentType)
}

/** As long as a URL may be, and a line end. */
const MAX_BODY_BYTES = MAX_BATCHED_ADDRESS_CHARACTERS + 2

function bodyOf(raw: IncomingMessage, cancellation: Cancellation): Promise<string> {
  return cancellation.wait((done, fail) => {
    let text = ''
    function onData(chunk: Buffer): void {
      text += textOf(chunk)
      if (text.length > MAX_BODY_BYTES) end(() => fail(new QueryTooLong()))
    }
    const onEnd = (): void => end(() => done(text))
    function stop(): void {
      raw.off('data', onData).off('end', onEnd)
    }
    function end(settle: () => void): void {
      stop()
      settle()
    }
    raw.on('data', onData).on('end', onEnd)
    // A body that ends early cancels the request.
    return stop
  })
}
