import type { FastifyInstance } from 'fastify'

import type { Credential } from '../credentials/credential.ts'

interface Options {
  readonly environments: readonly { readonly name: string; readonly credential: Pick<Credential, 'state'> }[]
  readonly stopping: () => boolean
}

/** What is known of a target's token: a valid one, none after a failed fetch, or none because the first is under way. */
export type TokenStatus = 'valid' | 'failed' | 'pending'

/** What `credential` has. */
export function tokenStatus({ state }: Pick<Credential, 'state'>): TokenStatus {
  const { token, failures } = state()
  if (token !== 'none') return 'valid'
  return failures > 0 ? 'failed' : 'pending'
}

/**
 * Whether a gateway with targets in these states should get requests: one target has a token, and none is still
 * fetching its first. A target that fails takes none of the others down.
 */
export function isReady(statuses: readonly TokenStatus[]): boolean {
  return statuses.includes('valid') && !statuses.includes('pending')
}

/**
 * `/-/livez`: the process answers. `/-/readyz`: see {@link isReady}. Nothing is asked of Entra or Dynamics for it, so
 * that probes cost nothing there. Callers need not prove who they are.
 */
export async function health(app: FastifyInstance, { environments, stopping }: Options): Promise<void> {
  const method = ['GET', 'HEAD']
  app.route({ method, url: '/-/livez', handler: (_request, reply) => void reply.send({ status: 'alive' }) })
  app.route({
    method,
    url: '/-/readyz',
    handler: (_request, reply) => {
      const tokens = Object.fromEntries(environments.map(({ name, credential }) => [name, credential.state().token]))
      const ready = !stopping() && isReady(environments.map(({ credential }) => tokenStatus(credential)))
      void reply
        .code(ready ? 200 : 503)
        .send({ status: stopping() ? 'stopping' : ready ? 'ready' : 'not ready', tokens })
    },
  })
}
