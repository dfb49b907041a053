import { EventEmitter } from 'node:events'

import { LRUCache } from 'lru-cache'

import { scopeOf } from './scope.ts'
import type { Listener, Replicas } from './shared-state.ts'

/** How often the cache reads the clock, in milliseconds: each time costs a timer. */
const TTL_RESOLUTION_MS = 1000

const MAX_TOPICS = 1000

/**
 * The state of a gateway without other replicas, in the memory of this process. Messages are sent between connections
 * to the same target, such as those before and after a reload.
 *
 * @param max the most entries; the least recently used one is evicted
 */
export function inProcess(max: number): Replicas {
  // With `max`, a cache allocates memory for all its entries at once: 2.8 MB for 100,000.
  const entries = new LRUCache<string, string>({
    maxSize: max,
    sizeCalculation: () => 1,
    ttlResolution: TTL_RESOLUTION_MS,
  })
  /** The last message of each topic. */
  const last = new LRUCache<string, string>({ max: MAX_TOPICS, ttlResolution: TTL_RESOLUTION_MS })
  const topics = new EventEmitter().setMaxListeners(0)
  return {
    of(target) {
      const scope = scopeOf(target)
      const scoped = (name: string): string => `${scope} ${name}`
      const subscriptions: { readonly topic: string; readonly listener: (...sent: Sent) => void }[] = []
      const self = Symbol('sender')
      return {
        async get(key) {
          const value = entries.get(scoped(key))
          return value === undefined ? undefined : { value, remainingMs: entries.getRemainingTTL(scoped(key)) }
        },
        set: async (key, value, ttl) => void entries.set(scoped(key), value, { ttl }),
        publish(topic, message, ttl) {
          if (ttl > 0) last.set(scoped(topic), message, { ttl })
          topics.emit(scoped(topic), message, ttl, self)
        },
        subscribe(topic, listener) {
          const onMessage = (...[message, remainingMs, sender]: Sent): void => {
            if (sender !== self) listener(message, remainingMs)
          }
          subscriptions.push({ topic: scoped(topic), listener: onMessage })
          topics.on(scoped(topic), onMessage)
          const message = last.get(scoped(topic))
          if (message !== undefined) listener(message, last.getRemainingTTL(scoped(topic)))
        },
        status: () => undefined,
        onReplicas: () => undefined,
        close() {
          for (const { topic, listener } of subscriptions) topics.off(topic, listener)
        },
      }
    },
    close: async () => undefined,
  }
}

type Sent = [...Parameters<Listener>, symbol]
