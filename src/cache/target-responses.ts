import type { OutboundRequest, Send, UpstreamResponse } from '../dynamics/send.ts'
import type { CacheSlot } from './cache-slot.ts'
import { recordResponse } from './record-response.ts'
import type { ResponseMemory } from './response-memory.ts'
import type { SchemaFreshness } from './schema-freshness.ts'
import type { StoredResponse } from './stored-response.ts'
import type { Versions } from './versions.ts'
import type { RefusalWatch } from './watch-refusals.ts'

/** The cached responses of one target. */
export interface TargetResponses {
  /** The response in memory, unless a change or a refusal has made it invalid. */
  readonly find: (slot: CacheSlot) => StoredResponse | undefined
  /** Sends a read, and stores the response if no change came in between. */
  readonly sendAndStore: (request: OutboundRequest, slot: CacheSlot) => Promise<UpstreamResponse>
}

interface Options {
  readonly memory: ResponseMemory
  readonly versions: Versions
  readonly refusals: Pick<RefusalWatch, 'isRefused'>
  readonly schema: Pick<SchemaFreshness, 'epoch'>
  /** Sends a cacheable read. */
  readonly read: Send
  /** `performance.now` */
  readonly now: () => number
}

/** Keeps the responses of a target in `memory`, each with the version of what it depends on. */
export function targetResponses({ memory, versions, refusals, schema, read, now }: Options): TargetResponses {
  return {
    find({ key, dependency, identity }) {
      const stored = memory.get(key)
      if (stored === undefined || versions.isSuspended(dependency)) return undefined
      if (stored.version === versions.of(dependency) && !refusals.isRefused(stored, dependency, identity)) return stored
      memory.delete(key)
      return undefined
    },
    async sendAndStore(request, { key, dependency, rule }) {
      const sentAt = now()
      const version = versions.of(dependency)
      const epoch = schema.epoch()
      const isSuspended = versions.isSuspended(dependency)
      const response = await read(request)
      if (isSuspended || request.cacheableRead!.directives?.noStore === true) return response
      return recordResponse(response, memory.maxBodyBytes, (body) => {
        const isCurrent = versions.of(dependency) === version && !versions.isSuspended(dependency)
        if (isCurrent && (rule.kind !== 'row' || body.etag !== undefined)) {
          memory.set(key, { ...body, sentAt, version, epoch })
        }
      })
    },
  }
}
