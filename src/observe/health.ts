import type { FastifyInstance } from 'fastify'

import type { Credential } from '../credentials/credential.ts'

interface Options {
  readonly environments: readonly { readonly name: string; readonly credential: Pick<Credential, 'state'> }[]
  readonly stopping: () => boolean
}

/**
 * `/-/livez`: the process answers. `/-/readyz`: every target has a valid token, or could have one; nothing is asked of
 * Entra or Dynamics for it, so that probes cost nothing there. Callers need not prove who they are.
 */
export async function health(app: FastifyInstance, { environments, stopping }: Options): Promise<void> {
  const method = ['GET', 'HEAD']
  app.route({ method, url: '/-/livez', handler: (_request, reply) => void reply.send({ status: 'alive' }) })
  app.route({
    method,
    url: '/-/readyz',
    handler: (_request, reply) => {
      const tokens = Object.fromEntries(environments.map(({ name, credential }) => [name, credential.state().token]))
      const ready = !stopping() && Object.values(tokens).every((token) => token !== 'none')
      void reply
        .code(ready ? 200 : 503)
        .send({ status: stopping() ? 'stopping' : ready ? 'ready' : 'not ready', tokens })
    },
  })
}
