import { LRUCache } from 'lru-cache'

import type { SharedState } from './shared-state.ts'

/** How often the clock is read, in milliseconds: each time costs a timer. */
const TTL_RESOLUTION_MS = 1000

/**
 * Shared state of a gateway that runs alone: it lives in this process, and ends with it.
 *
 * @param max entries; beyond, the one that was not used for longest is lost
 */
export function inProcess(max: number): SharedState {
  const entries = new LRUCache<string, string>({ max, ttlResolution: TTL_RESOLUTION_MS })
  return {
    get: async (key) => entries.get(key),
    set: async (key, value, ttl) => void entries.set(key, value, { ttl }),
  }
}
