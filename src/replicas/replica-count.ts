import type { Commands } from './redis-link.ts'

/** Counts the living replicas, by the clock of Redis. */
export interface ReplicaCount {
  /** Says that this replica lives, to those of each scope, and counts them. */
  readonly beat: (scopes: readonly string[]) => Commands<void>
  readonly leave: (scopes: readonly string[]) => Commands<void>
  /** Living replicas of a scope, this one included, as far as is known. */
  readonly of: (scope: string) => number
}

/**
 * @param self id of this replica
 * @param keyOf the key of the list of a scope's replicas
 * @param lifetime a replica that is silent for this many milliseconds is gone
 */
export function countReplicas(self: string, keyOf: (scope: string) => string, lifetime: number): ReplicaCount {
  const counts = new Map<string, { readonly last: number; readonly before: number }>()
  return {
    beat: (scopes) => async (send) => {
      const [seconds, micros] = await send<[string, string]>(['TIME'])
      const now = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
      await Promise.all(
        scopes.map(async (scope) => {
          const key = keyOf(scope)
          const [, , , living] = await Promise.all([
            send(['ZADD', key, String(now), self]),
            send(['ZREMRANGEBYSCORE', key, '-inf', `(${now - lifetime}`]),
            send(['PEXPIRE', key, String(lifetime)]),
            send<number>(['ZCARD', key]),
          ])
          counts.set(scope, { last: living, before: counts.get(scope)?.last ?? 1 })
        }),
      )
    },
    leave: (scopes) => async (send) => {
      await Promise.all(scopes.map((scope) => send(['ZREM', keyOf(scope), self])))
    },
    of(scope) {
      // One count that is lower may be that of a Redis that has just lost everything.
      const { last = 1, before = 1 } = counts.get(scope) ?? {}
      return Math.max(last, before)
    },
  }
}
