import type { Target } from '../config/schema.ts'

/**
 * The state that the replicas of the gateway share for one target: short texts that may be lost at any time, and
 * messages that may not arrive. No function here fails, and its users must work correctly without the shared state,
 * too. Only replicas with the same target, app registration and key see the same state.
 */
export interface SharedState {
  /** The value of `key`; `undefined` if it was not set, has expired, or was lost. */
  readonly get: (key: string) => Promise<SharedValue | undefined>
  /** Stores `value` for at most `ttl` milliseconds. */
  readonly set: (key: string, value: string, ttl: number) => Promise<void>
  /**
   * Sends `message` to all other subscribers of `topic`. For `ttl` milliseconds, a replica that connects later also
   * gets the last message.
   */
  readonly publish: (topic: string, message: string, ttl: number) => void
  /** Calls `listener` with each message and its remaining lifetime. */
  readonly subscribe: (topic: string, listener: Listener) => void
  /** The connection of this replica; `undefined` if the settings have no Redis. */
  readonly status: () => SharingStatus | undefined
  /** Calls `listener` when the number of live replicas changes. The number includes this replica. */
  readonly onReplicas: (listener: (replicas: number) => void) => void
  /** Ends the subscriptions. */
  readonly close: () => void
}

/** A value and its remaining lifetime, independent of differences between the clocks of replicas. */
export interface SharedValue {
  readonly value: string
  readonly remainingMs: number
}

/** Receives a message and its remaining lifetime in milliseconds. */
export type Listener = (message: string, remainingMs: number) => void

/** The connection of a replica to the others. */
export interface SharingStatus {
  /** Why this replica works alone, as a code such as `ECONNREFUSED`; `undefined` while it does not. */
  readonly disconnectedReason: string | undefined
  /** The number of live replicas of the target, this one included, at the last heartbeat. */
  readonly replicas: number
}

/** The connection of this gateway to its replicas. */
export interface Replicas {
  /** The shared state of `target`. */
  readonly of: (target: Target) => SharedState
  /** Unregisters this replica, and disconnects. */
  readonly close: () => Promise<void>
}
