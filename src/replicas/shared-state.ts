import type { Target } from '../config/schema.ts'

/**
 * What the replicas of the gateway share of one target: short texts that may be lost at any time, and messages that may
 * not arrive. Nothing here fails: whoever uses it must be right without it, too. Only replicas with the same target,
 * app registration and key see what is set here.
 */
export interface SharedState {
  /** What was set for `key`; `undefined` when nothing was, or it has expired or been lost. */
  readonly get: (key: string) => Promise<SharedValue | undefined>
  /** Keeps `value` for `ttl` milliseconds at most. */
  readonly set: (key: string, value: string, ttl: number) => Promise<void>
  /** Asks to be the only one for `ttl` milliseconds; the lock is not released before. */
  readonly lock: (key: string, ttl: number) => Promise<LockOutcome>
  /**
   * Sends `message` to all other subscribers of `topic`. For `ttl` milliseconds, a replica that connects later gets it
   * as well; of several messages, the last one.
   */
  readonly publish: (topic: string, message: string, ttl: number) => void
  /** Calls `listener` with each message, and the milliseconds that are left of its `ttl`. */
  readonly subscribe: (topic: string, listener: Listener) => void
  /** How the replicas of this target are connected; `undefined` where the gateway is meant to run alone. */
  readonly status: () => SharingStatus | undefined
  /** Calls `listener` with the number of living replicas, this one included, when it changes. */
  readonly onReplicas: (listener: (replicas: number) => void) => void
  /** Ends the subscriptions. */
  readonly close: () => void
}

/** What was set, and the milliseconds that are left of its `ttl`, whatever the clocks of the replicas show. */
export interface SharedValue {
  readonly value: string
  readonly left: number
}

/** `got`: nobody else has the lock. `broken`: that cannot be known, so act as if it were got. */
export type LockOutcome = 'got' | 'held' | 'broken'

/** Gets a message, and the milliseconds that are left of its time. */
export type Listener = (message: string, left: number) => void

/** How replicas are connected. */
export interface SharingStatus {
  /** Why this replica works alone, as a code such as `ECONNREFUSED`; `undefined` while it does not. */
  readonly alone: string | undefined
  /** Living replicas of the target, this one included, as far as is known. */
  readonly replicas: number
}

/** All replicas of a gateway, seen from one of them. */
export interface Replicas {
  /** What is shared of `target`. */
  readonly of: (target: Target) => SharedState
  /** Leaves the others. */
  readonly close: () => Promise<void>
}
