import type { RequestListener, Server } from 'node:http'

import Fastify from 'fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'

import { BadRequest, MethodNotAllowed, NotFound } from '../errors.ts'
import { targetFault } from '../odata/request-target.ts'
import { ALLOW, CALLER_METHODS } from './caller-methods.ts'
import { respondWithError } from './error-handler.ts'

/** Gives the requests of a server to the gateway's handler. */
export type Attach = (handler: RequestListener) => Server

/**
 * Fastify without its body parsers and error pages: it routes by the prefixes of targets, and answers unknown routes
 * and errors.
 *
 * @param prefixes `/sales`, or empty for a single target
 */
export function fastifyApp(attach: Attach, prefixes: readonly string[]): FastifyInstance {
  const app = Fastify(serverOptions(attach, prefixes))
  const { server } = app
  // The server itself responds to bytes that are not a request. And Fastify's own listener, the last one, would keep
  // each app in memory for as long as the server lives, with all that the app remembers.
  server.off('clientError', server.listeners('clientError').at(-1) as () => void)
  // Bodies are never parsed: for Fastify no method has one.
  const bodied = CALLER_METHODS.filter((method) => method !== 'GET' && method !== 'HEAD')
  for (const method of bodied) app.addHttpMethod(method, { hasBody: false, overrideExisting: true })
  app.setErrorHandler(respondWithError)
  app.setNotFoundHandler((request) => {
    const fault = targetFault(request.originalUrl)
    if (fault !== undefined) throw new BadRequest(fault)
    if (request.originalUrl.startsWith('/-/')) throw new NotFound('')
    // Without a prefix, every other address belongs to the one target.
    throw CALLER_METHODS.includes(request.method)
      ? new NotFound('. It must begin with the name of a target, as in /sales/accounts')
      : new MethodNotAllowed(ALLOW)
  })
  return app
}

/**
 * Fastify's own options. Its router sees one path for all that goes to a target, so that neither its decoding nor its
 * limits meet the paths of Dynamics; bodies are never parsed.
 */
function serverOptions(attach: Attach, prefixes: readonly string[]): FastifyServerOptions {
  return {
    logger: false,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    genReqId: () => '',
    rewriteUrl: ({ url = '/' }) => (url.startsWith('/-/') ? ownRouteOf(url) : routeOf(url, prefixes)),
    serverFactory: attach,
  } as FastifyServerOptions
}

/** The route of one of the gateway's own addresses. */
function ownRouteOf(url: string): string {
  return /^[\w/-]*(?:\?|$)/.test(url) ? url : NO_ROUTE
}

/** The route of `url`: the prefix of its target. */
function routeOf(url: string, prefixes: readonly string[]): string {
  for (const prefix of prefixes) {
    if (prefix === '') return '/'
    if (url.startsWith(prefix) && /^[/?]|^$/.test(url.slice(prefix.length))) return prefix
  }
  return NO_ROUTE
}

/** An address without a handler. */
const NO_ROUTE = '/-/nothing'
