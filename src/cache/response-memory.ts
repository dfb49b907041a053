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
  /** Ordered by their last use. */
  const responses = new Map<string, StoredResponse>()
  let bytes = 0

  function remove(key: string): void {
    const response = responses.get(key)
    if (response === undefined) return
    bytes -= sizeOf(key, response)
    responses.delete(key)
  }

  function evictOne(): void {
    let smallest: string | undefined
    let size = Infinity
    let left = EVICTION_CANDIDATES
    for (const [key, response] of responses) {
      if (left-- === 0) break
      const own = sizeOf(key, response)
      if (own < size) [smallest, size] = [key, own]
    }
    remove(smallest!)
  }

  return {
    get(key) {
      const response = responses.get(key)
      if (response === undefined) return undefined
      responses.delete(key)
      responses.set(key, response)
      return response
    },
    set(key, response) {
      remove(key)
      const size = sizeOf(key, response)
      if (size > limit) return
      while (bytes + size > limit) evictOne()
      responses.set(key, response)
      bytes += size
    },
    delete: remove,
    maxBodyBytes: limit * MAX_SHARE,
    size: () => ({ responses: responses.size, bytes }),
  }
}
