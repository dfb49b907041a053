import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import type { Settings } from '../config/schema.ts'
import { ALLOW } from './caller-methods.ts'

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
      ['vary', 'Origin', 'access-control-allow-origin', origin, 'access-control-expose-headers', EXPOSED.join(', ')],
    ]),
  )
  const required = requiredHeader === undefined ? [] : [requiredHeader.split(':')[0]!]
  const allowed = [
    ...ALLOWED,
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

/** Request headers with a meaning for the gateway, the Web API or OData. A header that a caller may not send is refused with the request. */
const ALLOWED: readonly string[] = [
  'Accept',
  'Accept-Language',
  'Authorization',
  'AutoDisassociate',
  'Cache-Control',
  'CallerObjectId',
  'Company',
  'Consistency',
  'Content-Disposition',
  'Content-Encoding',
  'Content-Language',
  'Content-Range',
  'Content-Type',
  'Data-Access-Intent',
  'Idempotency-Key',
  'If-Match',
  'If-Modified-Since',
  'If-None-Match',
  'If-Range',
  'If-Unmodified-Since',
  'Isolation',
  'MSCRM.BypassBusinessLogicExecution',
  'MSCRM.BypassBusinessLogicExecutionStepIds',
  'MSCRM.BypassCustomPluginExecution',
  'MSCRM.MergeLabels',
  'MSCRM.SessionToken',
  'MSCRM.SolutionUniqueName',
  'MSCRM.SuppressCallbackRegistrationExpanderJob',
  'MSCRM.SuppressDuplicateDetection',
  'MSCRMCallerID',
  'OData-EntityId',
  'OData-Isolation',
  'OData-MaxVersion',
  'OData-Version',
  'Prefer',
  'Range',
  'traceparent',
  'tracestate',
  'X-Api-Key',
  'x-ms-client-request-id',
  'x-ms-client-session-id',
  'x-ms-file-name',
  'x-ms-transfer-mode',
  'X-Request-Id',
]

/** Prefixes of request headers whose number grows. */
const ALLOWED_PREFIXES = /^(?:mscrm\.|odata-|x-ms-)[\w.-]+$/i

/** Response headers of the gateway, the Web API and OData, beyond those that every page may read. */
const EXPOSED: readonly string[] = [
  'Accept-Query',
  'Accept-Ranges',
  'Age',
  'Allow',
  'AuthActivityId',
  'Cache-Status',
  'Content-Disposition',
  'Content-Encoding',
  'Content-Location',
  'Content-Range',
  'CRM.ServiceId',
  'Date',
  'ETag',
  'Idempotency-Replayed',
  'Link',
  'Location',
  'mimetype',
  'OData-EntityId',
  'OData-Error',
  'OData-Isolation',
  'OData-MaxVersion',
  'OData-Version',
  'Preference-Applied',
  'Public',
  'REQ_ID',
  'Retry-After',
  'Server-Timing',
  'Vary',
  'WWW-Authenticate',
  'x-ms-chunk-size',
  'x-ms-client-request-id',
  'x-ms-correlation-request-id',
  'x-ms-dop-hint',
  'x-ms-dyn-backgroundoperationid',
  'x-ms-file-name',
  'x-ms-file-size',
  'x-ms-ratelimit-burst-remaining-xrm-requests',
  'x-ms-ratelimit-time-remaining-xrm-requests',
  'x-ms-request-id',
  'x-ms-service-request-id',
  'x-ms-session-token',
  'X-Request-Id',
  'X-Source',
]
