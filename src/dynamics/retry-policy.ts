import type { OutboundRequest } from './send.ts'

/** Failures after which a retry may succeed. */
export type RetryableFailure =
  /** No connection was established: nothing was sent. */
  | 'no-connection'
  /** A connection that had been idle before broke: Dynamics had most likely just closed it. */
  | 'stale-connection'
  /** The connection broke after the request was sent; it may have been carried out. */
  | 'broke-off'
  /** 502, 503 or 504, mostly from something in front of Dynamics. */
  | 'busy'
  /** Dynamics' database gave way to another request, and undid this one. */
  | 'deadlock'

/**
 * Which requests are retried after which failure. A request that was certainly not executed may be repeated. One that
 * may have been executed, only if it is idempotent and writes nothing, or if Dynamics refuses a second row by its key.
 * Timeouts are not listed: the time is used up.
 */
export const RETRYABLE: Readonly<Record<RetryableFailure, Readonly<Record<OutboundRequest['repeatable'], boolean>>>> = {
  'no-connection': { read: true, idempotent: true, keyed: true, never: true },
  'stale-connection': { read: true, idempotent: false, keyed: true, never: false },
  'broke-off': { read: true, idempotent: false, keyed: true, never: false },
  busy: { read: true, idempotent: false, keyed: true, never: false },
  deadlock: { read: true, idempotent: true, keyed: true, never: false },
}
