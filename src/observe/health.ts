import type { FastifyInstance } from 'fastify'

import type { TokenState } from '../credentials/credential.ts'

interface Options {
  /** The token of each target, by its name. */
  readonly tokens: ReadonlyMap<string, () => TokenState>
  readonly stopping: () => boolean
}

/**
 * `/-/livez`: the process answers. `/-/readyz`: every target has a valid token, or could have one; nothing is asked of
 * Entra or Dynamics for it, so that probes cost nothing there. Both stand outside the door.
 */
export async function health(app: FastifyInstance, { tokens, stopping }: Options): Promise<void> {
  const method = ['GET', 'HEAD']
  app.route({ method, url: '/-/livez', handler: (_request, reply) => void reply.send({ status: 'alive' }) })
  app.route({
    method,
    url: '/-/readyz',
    handler: (_request, reply) => {
      const targets = Object.fromEntries([...tokens].map(([name, state]) => [name, state().token]))
      const ready = !stopping() && Object.values(targets).every((token) => token !== 'none')
      void reply.code(ready ? 200 : 503).send({ status: stopping() ? 'stopping' : ready ? 'ready' : 'not ready', tokens: targets })
    },
  })
}
