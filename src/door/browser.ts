import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import type { Settings } from '../config/schema.ts'
import { OriginNotAllowed } from '../errors.ts'
import { corsOf } from '../server/cors.ts'

/**
 * Refuses pages of other origins. Everyone who reaches the gateway may have the application user's rights,
 * and a web page that is open on an internal desktop must not use them.
 *
 * Programs send neither `Origin` nor `Sec-Fetch-Site`. Node's fetch sends only `Sec-Fetch-Mode`, which
 * therefore proves nothing.
 */
function browser(app: FastifyInstance, settings: BrowserSettings, registered: () => void): void {
  const { isListed } = corsOf(settings)
  const isOwnPage = ownPage(settings)
  const required = requirement(settings.requiredHeader)

  app.addHook('onRequest', (request, reply, done) => {
    if (!isListed(request.head.origin) && !isOwnPage(request)) return done(new OriginNotAllowed(FOREIGN_PAGE))
    if (required !== undefined && !required.isMet(request.head.required)) {
      const text = `Every request must carry the header ${required.name}, as the gateway's settings say.`
      return done(new OriginNotAllowed(text))
    }
    done()
  })
  registered()
}

export default fp(browser, { name: 'browser', fastify: '5.x', dependencies: ['head', 'host'] })

type BrowserSettings = Pick<Settings, 'allowedOrigins' | 'publicUrl' | 'requiredHeader' | 'targets'>

const FOREIGN_PAGE =
  'Pages of other origins may not call this gateway from a browser. ' +
  'Call it from a server, or ask the operator to add the origin to ALLOWED_ORIGINS.'

/** Creates the function that checks whether a request comes from the gateway's own page, or from no page. */
export function ownPage({ publicUrl }: Pick<Settings, 'publicUrl'>): (request: FastifyRequest) => boolean {
  const own = publicUrl === undefined ? undefined : new URL(publicUrl).origin
  return (request) => {
    const { origin, fetchSite } = request.head
    const same = origin === undefined || origin.toLowerCase() === own || origin.toLowerCase() === ownOrigin(request)
    return same && (fetchSite === undefined || fetchSite === 'same-origin' || fetchSite === 'none')
  }
}

/** The origin that the request itself was sent to. */
function ownOrigin(request: FastifyRequest): string | undefined {
  if (request.head.host === undefined) return undefined
  const encrypted = 'encrypted' in request.raw.socket
  return `${encrypted ? 'https' : 'http'}://${request.head.host.toLowerCase()}`
}

/** `name: value`, or only a name, which accepts any value. */
function requirement(
  written: string | undefined,
): { name: string; isMet: (value: string | undefined) => boolean } | undefined {
  if (written === undefined) return undefined
  const colon = written.indexOf(':')
  if (colon === -1) return { name: written, isMet: (value) => value !== undefined }
  const wanted = written.slice(colon + 1).trim()
  return { name: written.slice(0, colon), isMet: (value) => value === wanted }
}
