import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import type { Settings } from '../config/schema.ts'
import { ALLOW } from './caller-methods.ts'
import { ALLOWED_HEADERS, ALLOWED_PREFIXES, EXPOSED_HEADERS } from './cors-headers.ts'

/** CORS for pages of listed origins. */
export interface Cors {
  /** Headers of a response, flat; `undefined` when no origin is listed. */
  readonly headersFor: (origin: string | undefined) => readonly string[] | undefined
  /** Whether pages of `origin` may call the gateway. */
  readonly isListed: (origin: string | undefined) => boolean
  /** The header names that a page may send, including requested ones of a known family. */
  readonly allowedHeaders: (requested: string | undefined) => string
}

type CorsSettings = Pick<Settings, 'allowedOrigins' | 'requiredHeader' | 'targets'>

/** CORS by `settings`. */
export function corsOf({ allowedOrigins, requiredHeader, targets }: CorsSettings): Cors {
  const listed = new Map<string, readonly string[]>(
    allowedOrigins.map((origin) => [
      origin,
      [
        'vary',
        'Origin',
        'access-control-allow-origin',
        origin,
        'access-control-expose-headers',
        EXPOSED_HEADERS.join(', '),
      ],
    ]),
  )
  const required = requiredHeader === undefined ? [] : [requiredHeader.split(':')[0]!]
  const allowed = [
    ...ALLOWED_HEADERS,
    ...targets.flatMap(({ impersonation: { header, idHeader } }) => [header, idHeader]),
    ...required,
  ]

  return {
    headersFor: (origin) => {
      if (listed.size === 0) return undefined
      return origin === undefined ? UNLISTED : (listed.get(origin.toLowerCase()) ?? UNLISTED)
    },
    isListed: (origin) => origin !== undefined && listed.has(origin.toLowerCase()),
    allowedHeaders: (requested = '') => {
      const names = new Set(allowed.map((name) => name.toLowerCase()))
      const further = requested
        .split(',')
        .map((name) => name.trim())
        .filter((name) => ALLOWED_PREFIXES.test(name) && !names.has(name.toLowerCase()))
      return [...new Set([...allowed, ...further])].join(', ')
    },
  }
}

/**
 * Answers preflights of listed origins for any address: the request itself is checked when it comes, and its
 * page may read why it is refused. Any other response denies the request to the browser.
 */
function cors(app: FastifyInstance, settings: CorsSettings, registered: () => void): void {
  const { headersFor, isListed, allowedHeaders } = corsOf(settings)
  if (settings.allowedOrigins.length > 0) {
    app.addHook('onRequest', (request, reply, done) => {
      const { origin } = request.raw.headers
      request.exchange.cors = headersFor(origin)
      if (!isListed(origin) || !isPreflight(request)) return done()
      respondToPreflight(reply, allowedHeaders(request.raw.headers['access-control-request-headers']))
    })
  }
  registered()
}

export default fp(cors, { name: 'cors', fastify: '5.x', dependencies: ['added-headers'] })

function respondToPreflight(reply: FastifyReply, allowed: string): void {
  reply
    .header('access-control-allow-methods', ALLOW)
    .header('access-control-allow-headers', allowed)
    .header('access-control-max-age', '600')
    .code(204)
    .send()
}

/** A preflight has no body. An OPTIONS with one is checked like every other request. */
function isPreflight({ raw: { method, headers } }: FastifyRequest): boolean {
  return (
    method === 'OPTIONS' &&
    headers['access-control-request-method'] !== undefined &&
    headers['transfer-encoding'] === undefined &&
    /^0?$/.test(headers['content-length'] ?? '')
  )
}

const UNLISTED: readonly string[] = ['vary', 'Origin']
