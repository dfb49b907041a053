import type { Commands } from './redis-link.ts'
import { integerReply, timeReply } from './redis-reply.ts'

/** Counts the live replicas, by the clock of Redis. */
export interface ReplicaCount {
  /** Reports that this replica is alive in each scope, and counts the replicas there. */
  readonly heartbeat: (scopes: readonly string[]) => Commands<void>
  readonly leave: (scopes: readonly string[]) => Commands<void>
  /** The number of live replicas in a scope, this one included, at the last heartbeat. */
  readonly of: (scope: string) => number
}

/**
 * @param self id of this replica
 * @param keyOf returns the key of the list of replicas in a scope
 * @param lifetime after this many milliseconds without a heartbeat a replica counts as gone
 */
export function countReplicas(self: string, keyOf: (scope: string) => string, lifetime: number): ReplicaCount {
  const counts = new Map<string, { readonly last: number; readonly before: number }>()
  return {
    heartbeat: (scopes) => async (send) => {
      const now = timeReply(await send(['TIME']))
      await Promise.all(
        scopes.map(async (scope) => {
          const key = keyOf(scope)
          const [, , , live] = await Promise.all([
            send(['ZADD', key, String(now), self]),
            send(['ZREMRANGEBYSCORE', key, '-inf', `(${now - lifetime}`]),
            send(['PEXPIRE', key, String(lifetime)]),
            send(['ZCARD', key]),
          ])
          counts.set(scope, { last: Math.max(1, integerReply(live)), before: counts.get(scope)?.last ?? 1 })
        }),
      )
    },
    leave: (scopes) => async (send) => {
      await Promise.all(scopes.map((scope) => send(['ZREM', keyOf(scope), self])))
    },
    of(scope) {
      // A single lower count may come from a Redis that has just lost its data.
      const { last = 1, before = 1 } = counts.get(scope) ?? {}
      return Math.max(last, before)
    },
  }
}
