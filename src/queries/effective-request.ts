import type { FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /** The URL of the equivalent GET, if the query is in the body. Set by `body-query`. */
    equivalentGet: string | undefined
  }
}

/** The method and URL that rules, the audit log and the sent request use. */
export interface EffectiveRequest {
  readonly method: string
  /** Path and query: as received, or those of the equivalent GET. */
  readonly target: string
}

/** The request as received, or its equivalent GET. */
export function effectiveRequest({ equivalentGet, method, originalUrl }: FastifyRequest): EffectiveRequest {
  return equivalentGet === undefined ? { method, target: originalUrl } : { method: 'GET', target: equivalentGet }
}
