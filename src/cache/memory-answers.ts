import type { OutboundRequest, UpstreamResponse } from '../dynamics/send.ts'
import { allows } from './cache-directives.ts'
import { responseFrom } from './stored-response.ts'
import type { StoredResponse } from './stored-response.ts'
import type { RefusalWatch } from './watch-refusals.ts'

/** Answers requests with responses that were not fetched with their own token. */
export interface MemoryAnswers {
  /**
   * Whether the caller's `Cache-Control` allows the response.
   *
   * @param freshFor how long the response stays fresh, in ms
   */
  readonly isAllowed: (request: OutboundRequest, stored: StoredResponse, freshFor: number) => boolean
  /**
   * Answers with a response from memory.
   *
   * @param freshFor how long it stays fresh, in ms; negative for a stale one
   */
  readonly hit: (
    request: OutboundRequest,
    stored: StoredResponse,
    freshFor: number,
  ) => UpstreamResponse | Promise<UpstreamResponse>
  /** Checks the caller's token before a `response`: a person whose token is refused gets none. */
  readonly afterAuthorization: (
    request: OutboundRequest,
    response: UpstreamResponse,
  ) => UpstreamResponse | Promise<UpstreamResponse>
}

/** @param now `performance.now` */
export function createMemoryAnswers(refusals: Pick<RefusalWatch, 'tokenRefused'>, now: () => number): MemoryAnswers {
  return {
    isAllowed: ({ cacheableRead }, { sentAt }, freshFor) => allows(cacheableRead!.directives, now() - sentAt, freshFor),
    hit(request, stored, freshFor) {
      request.record.source = 'memory'
      request.record.cacheStatus = `hit; ttl=${Math.floor(freshFor / 1000)}`
      return afterAuthorization(request, responseFrom(stored, now()))
    },
    afterAuthorization,
  }

  function afterAuthorization(
    { tokens, cacheableRead }: OutboundRequest,
    response: UpstreamResponse,
  ): UpstreamResponse | Promise<UpstreamResponse> {
    if (tokens === undefined) return response
    return Promise.resolve(tokens.authorization()).then(
      () => response,
      (error: unknown) => {
        refusals.tokenRefused(cacheableRead!.identity)
        response.body.dump()
        throw error
      },
    )
  }
}
