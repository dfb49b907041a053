import { LRUCache } from 'lru-cache'

import { sizeOf } from './stored-response.ts'
import type { StoredResponse } from './stored-response.ts'

/** The cached responses of all targets. */
export interface ResponseMemory {
  readonly get: (key: string) => StoredResponse | undefined
  readonly set: (key: string, response: StoredResponse) => void
  readonly delete: (key: string) => void
  /** The largest body that is stored, in bytes. */
  readonly maxBodyBytes: number
  readonly size: () => { readonly responses: number; readonly bytes: number }
}

/** Of this many least recently used responses, the smallest is removed: large ones take longer to fetch. */
const EVICTION_CANDIDATES = 8

/** The share of the memory that one response may use. */
const MAX_SHARE = 1 / 4

/** @param limit the size of all responses together, in bytes */
export function createResponseMemory(limit: number): ResponseMemory {
  // A cache of 0 bytes would be unlimited. No response is as small as 1 byte.
  const responses = new LRUCache<string, StoredResponse>({ maxSize: Math.max(limit, 1) })

  function evictOne(): void {
    let smallest: string | undefined
    let size = Infinity
    let left = EVICTION_CANDIDATES
    for (const key of responses.rkeys()) {
      if (left-- === 0) break
      const own = sizeOf(key, responses.peek(key)!)
      if (own < size) [smallest, size] = [key, own]
    }
    responses.delete(smallest!)
  }

  return {
    get: (key) => responses.get(key),
    set(key, response) {
      responses.delete(key)
      const size = sizeOf(key, response)
      if (size > limit) return
      while (responses.calculatedSize + size > limit) evictOne()
      responses.set(key, response, { size })
    },
    delete: (key) => void responses.delete(key),
    maxBodyBytes: limit * MAX_SHARE,
    size: () => ({ responses: responses.size, bytes: responses.calculatedSize }),
  }
}
