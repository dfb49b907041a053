import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import type { Identify } from '../../callers/authenticate.ts'
import type { Settings } from '../../config/schema.ts'
import { ownPage } from '../../door/browser.ts'
import { ownHost } from '../../door/host.ts'
import { fromThisMachine } from '../../door/this-machine.ts'
import { NotFound } from '../../errors.ts'
import type { Keys } from './keys.ts'

interface Options {
  readonly settings: Pick<Settings, 'host' | 'allowedHosts' | 'publicUrl'>
  readonly identify: Identify
  readonly keys: Keys
}

/**
 * Hides the inspector from everyone who may not use it. Access needs the token or its cookie, a host name of the
 * gateway, no page of another origin, and this machine or a caller with `inspect: true`.
 * All others get the 404 of an address that does not exist.
 */
function inspectorAccess(app: FastifyInstance, { settings, identify, keys }: Options, registered: () => void): void {
  const isNear = fromThisMachine(settings.host)
  const isOwnHost = ownHost(settings)
  const isOwnPage = ownPage(settings)
  app.addHook('onRequest', async (request) => {
    if (!isOwnHost(request) || !isOwnPage(request) || !hasKey(request, keys)) throw new NotFound('')
    if (isNear(request.raw)) return
    if (!(await mayInspect(request))) throw new NotFound('')
  })
  registered()

  async function mayInspect({ head, raw }: FastifyRequest): Promise<boolean> {
    try {
      const { caller } = await identify(head, raw.socket)
      return caller?.inspect === true
    } catch {
      // A token that cannot be checked now. An error would reveal the inspector.
      return false
    }
  }
}

export default fp(inspectorAccess, { name: 'inspector-access', fastify: '5.x', dependencies: ['head'] })

function hasKey(request: FastifyRequest, keys: Keys): boolean {
  const token = tokenOf(request)
  return token === undefined ? keys.holds(request.raw.headers.cookie) : keys.opens(token)
}

/** The token in the request's address. */
export function tokenOf({ query }: FastifyRequest): string | undefined {
  const { token } = query as { token?: unknown }
  return token === undefined ? undefined : String(token)
}
