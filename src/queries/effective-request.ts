import type { FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The address of the GET that the request stands for, where its query is in its body; set by `body-query`.
     */
    equivalentGet: string | undefined
  }
}

/** What a request asks for: what counts for rules, for the audit and for what is sent. */
export interface EffectiveRequest {
  readonly method: string
  /** Path and query, as received or as they would have been. */
  readonly target: string
}

/** The request as received, or its equivalent GET. */
export function effectiveRequest({ equivalentGet, method, originalUrl }: FastifyRequest): EffectiveRequest {
  return equivalentGet === undefined ? { method, target: originalUrl } : { method: 'GET', target: equivalentGet }
}
