import type { OutboundRequest } from './send.ts'

/** Failures after which sending the request again may help. */
export type RetryableFailure =
  /** No connection came about: nothing was sent. */
  | 'no-connection'
  /** A connection that had been used before broke: Dynamics had most likely just closed it. */
  | 'stale-connection'
  /** The connection broke after the request was sent; it may have been carried out. */
  | 'broke-off'
  /** 502, 503 or 504, mostly from something in front of Dynamics. */
  | 'busy'
  /** Dynamics' database gave way to another request, and undid this one. */
  | 'deadlock'

/**
 * Who is retried after what. What surely was not carried out may be repeated; what may have been, only where
 * twice is the same as once and nothing is written, or where Dynamics refuses the second row by its primary key.
 * Timeouts are not here: the time is used up.
 */
export const RETRYABLE: Readonly<Record<RetryableFailure, Readonly<Record<OutboundRequest['repeatable'], boolean>>>> = {
  'no-connection': { read: true, idempotent: true, keyed: true, never: true },
  'stale-connection': { read: true, idempotent: false, keyed: true, never: false },
  'broke-off': { read: true, idempotent: false, keyed: true, never: false },
  busy: { read: true, idempotent: false, keyed: true, never: false },
  deadlock: { read: true, idempotent: true, keyed: true, never: false },
}
