import type { FastifyInstance } from 'fastify'

import type { Credential } from '../credentials/credential.ts'

interface Options {
  readonly targets: readonly { readonly name: string; readonly credential: Pick<Credential, 'state'> }[]
  readonly stopping: () => boolean
}

/** The state of a target's token: valid, none after a failed fetch, or none because the first fetch is in progress. */
export type TokenStatus = 'valid' | 'failed' | 'pending'

/** The token state of `credential`. */
export function tokenStatus({ state }: Pick<Credential, 'state'>): TokenStatus {
  const { token, failures } = state()
  if (token !== 'none') return 'valid'
  return failures > 0 ? 'failed' : 'pending'
}

/**
 * Whether a gateway with targets in these states is ready: one target has a token, and none is still
 * fetching its first. A failing target does not affect the others.
 */
export function isReady(statuses: readonly TokenStatus[]): boolean {
  return statuses.includes('valid') && !statuses.includes('pending')
}

/**
 * `/-/livez`: the process is running. `/-/readyz`: see {@link isReady}. Neither sends requests to Entra or Dynamics, so
 * that probes cost nothing there. Neither needs a caller.
 */
export async function health(app: FastifyInstance, { targets, stopping }: Options): Promise<void> {
  const method = ['GET', 'HEAD']
  app.route({ method, url: '/-/livez', handler: (_request, reply) => void reply.send({ status: 'alive' }) })
  app.route({
    method,
    url: '/-/readyz',
    handler: (_request, reply) => {
      const tokens = Object.fromEntries(targets.map(({ name, credential }) => [name, credential.state().token]))
      const ready = !stopping() && isReady(targets.map(({ credential }) => tokenStatus(credential)))
      void reply
        .code(ready ? 200 : 503)
        .send({ status: stopping() ? 'stopping' : ready ? 'ready' : 'not ready', tokens })
    },
  })
}
