import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

import type { Target } from '../config/schema.ts'
import { NotFound } from '../errors.ts'
import { mistakenPath } from '../odata/mistaken-path.ts'
import { targetAddress } from '../odata/target-address.ts'

interface Options {
  readonly target: Pick<Target, 'url'>
  /** `/sales`, or nothing where there is one target. */
  readonly prefix: string
}

/** Answers addresses that miss the Web API (`/api/data/accounts`, the SOAP path) with the right form. */
function apiRoot(app: FastifyInstance, { target: { url }, prefix }: Options, registered: () => void): void {
  const address = targetAddress(url.origin + url.apiRoot)
  app.addHook('onRequest', ({ originalUrl }, _reply, done) => {
    const written = originalUrl.slice(prefix.length)
    const queryStart = written.indexOf('?')
    const mistake = mistakenPath(address, queryStart === -1 ? written : written.slice(0, queryStart))
    done(mistake === undefined ? undefined : new NotFound(`. ${mistake}`))
  })
  registered()
}

export default fp(apiRoot, { name: 'api-root', fastify: '5.x' })
