import type { OutboundRequest, Send, UpstreamResponse } from '../dynamics/send.ts'
import type { TargetAddress } from '../odata/target-address.ts'
import { createRefusedIdentities } from './refused-identities.ts'
import { isTokenRefusal, readRefusal } from './refused-rows.ts'
import type { StoredResponse } from './stored-response.ts'
import type { Dependency } from './versions.ts'

/** What Dynamics and Entra refuse to users: a user who is refused a read may have lost the right to cached rows. */
export interface RefusalWatch {
  /** Sends a cacheable read, and records its refusal. */
  readonly send: Send
  /** Records that the token of a user is refused, so that no cached row is theirs to read. */
  readonly tokenRefused: (identity: string) => void
  /** Whether rows were refused to the user after they had been cached. Definitions are not rows. */
  readonly isRefused: (stored: StoredResponse, dependency: Dependency, identity: string | undefined) => boolean
}

/** @param now `performance.now` */
export function watchRefusals(send: Send, address: TargetAddress, now: () => number): RefusalWatch {
  const refusals = createRefusedIdentities(now)

  return {
    send: (request) =>
      send(request).then(
        (response) => (response.status === 403 ? record(request, response) : response),
        (error: unknown) => {
          if (isTokenRefusal(error)) refusals.refused(request.cacheableRead!.identity, undefined)
          throw error
        },
      ),
    tokenRefused: (identity) => refusals.refused(identity, undefined),
    isRefused: ({ sentAt }, dependency, identity) =>
      identity !== undefined && dependency !== 'schema' && sentAt <= refusals.refusedAt(identity, dependency.entitySet),
  }

  async function record(request: OutboundRequest, response: UpstreamResponse): Promise<UpstreamResponse> {
    const { identity } = request.cacheableRead!
    try {
      const refusal = await readRefusal(request, response, address)
      if (!refusal.isForeign) refusals.refused(identity, refusal.entitySet)
      return refusal.response
    } catch (error) {
      refusals.refused(identity, undefined)
      throw error
    }
  }
}
