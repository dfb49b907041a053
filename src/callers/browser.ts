import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import type { Settings } from '../config.ts'
import { OriginNotAllowed } from '../errors.ts'
import { ALLOW } from '../odata/methods.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Set by `browser` where origins are listed: what an answer tells the caller's browser, flat. The gateway's own
     * answers have it already.
     */
    cors: readonly string[] | undefined
  }
}

/**
 * Turns away pages of other origins: whoever reaches the gateway has the application user's rights,
 * and a page that happens to be open on an internal desktop must not drive it.
 *
 * Programs send neither `Origin` nor `Sec-Fetch-Site`; Node's fetch sends `Sec-Fetch-Mode` alone, which
 * therefore says nothing.
 */
function browser(app: FastifyInstance, settings: BrowserSettings, registered: () => void): void {
  const allowed: ReadonlySet<string> = new Set(settings.allowedOrigins)
  const own = settings.publicUrl === undefined ? undefined : new URL(settings.publicUrl).origin
  const required = requirement(settings.requiredHeader)
  const cors = corsHeaders(settings, required?.name)

  app.decorateRequest('cors', undefined)
  app.addHook('onRequest', (request, reply, done) => {
    const { origin, fetchSite } = request.head
    const listed = origin !== undefined && allowed.has(origin.toLowerCase())
    if (allowed.size > 0) {
      request.cors = ['vary', 'Origin', ...(listed
        ? ['access-control-allow-origin', origin, 'access-control-expose-headers', cors.expose]
        : [])]
      for (let index = 0; index < request.cors.length; index += 2) {
        reply.header(request.cors[index]!, request.cors[index + 1])
      }
    }
    if (listed) {
      if (isPreflight(request)) return answerPreflight(reply)
    } else {
      const same = origin === undefined || origin.toLowerCase() === own || origin.toLowerCase() === ownOrigin(request)
      if (!same) return done(new OriginNotAllowed(FOREIGN_PAGE))
      const sameSite = fetchSite === undefined || fetchSite === 'same-origin' || fetchSite === 'none'
      if (!sameSite) return done(new OriginNotAllowed(FOREIGN_PAGE))
    }
    if (required !== undefined && !required.isMet(request.head.required)) {
      const text = `Every request must carry the header ${required.name}, as the gateway's settings say.`
      return done(new OriginNotAllowed(text))
    }
    done()
  })
  registered()

  function answerPreflight(reply: FastifyReply): void {
    reply.header('access-control-allow-methods', ALLOW)
      .header('access-control-allow-headers', cors.allow)
      .header('access-control-max-age', '600')
      .code(204).send()
  }
}

export default fp(browser, { name: 'browser', fastify: '5.x', dependencies: ['head', 'host'] })

type BrowserSettings = Pick<Settings, 'allowedOrigins' | 'publicUrl' | 'requiredHeader' | 'targets'>

const FOREIGN_PAGE = 'Pages of other origins may not call this gateway from a browser. '
  + 'Call it from a server, or ask the operator to add the origin to ALLOWED_ORIGINS.'

/** The origin that the request itself was sent to. */
function ownOrigin(request: FastifyRequest): string | undefined {
  if (request.head.host === undefined) return undefined
  const encrypted = 'encrypted' in request.raw.socket
  return `${encrypted ? 'https' : 'http'}://${request.head.host.toLowerCase()}`
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
}

/** `name: value`, or a name alone, which any value meets. */
function requirement(
  written: string | undefined,
): { name: string, isMet: (value: string | undefined) => boolean } | undefined {
  if (written === undefined) return undefined
  const colon = written.indexOf(':')
  if (colon === -1) return { name: written, isMet: (value) => value !== undefined }
  const wanted = written.slice(colon + 1).trim()
  return { name: written.slice(0, colon), isMet: (value) => value === wanted }
}

/** What pages of listed origins may send and see. */
function corsHeaders({ targets }: BrowserSettings, required: string | undefined): { allow: string, expose: string } {
  const allow = [
    'Accept', 'Authorization', 'Content-Type', 'Consistency', 'If-Match', 'If-None-Match', 'MSCRM.MergeLabels',
    'MSCRM.SolutionUniqueName', 'MSCRM.SuppressDuplicateDetection', 'OData-MaxVersion', 'OData-Version', 'Prefer',
    'Range',
    'X-Api-Key', 'X-Request-Id', 'x-ms-file-name', 'x-ms-transfer-mode',
  ]
  const emailHeaders = targets.map(({ impersonation }) => impersonation.header)
  return {
    allow: [...new Set([...allow, ...emailHeaders, ...(required === undefined ? [] : [required])])].join(', '),
    expose: 'Content-Disposition, Content-Range, ETag, Location, OData-EntityId, OData-Version, Preference-Applied, '
      + 'REQ_ID, Retry-After, Server-Timing, X-Request-Id',
  }
}
