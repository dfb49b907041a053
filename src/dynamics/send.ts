import type { Readable } from 'node:stream'

import type { AccessTokens } from '../credentials/credential.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import { isNamed, rawHeader } from '../outbound/raw-headers.ts'
import type { Cancellation } from './cancellation.ts'
import type { Priority, RequestRecord } from './request-record.ts'
import type { TimeLimit } from './time-limits.ts'

/**
 * Sends one request and returns the response. Without a response the promise rejects with an error of `errors.ts`;
 * it never throws synchronously.
 */
export type Send = (request: OutboundRequest) => Promise<UpstreamResponse>

/** A request on its way to Dynamics. */
export interface OutboundRequest {
  readonly method: string
  /** Origin-form: path and query, byte for byte. */
  readonly path: string
  /** The source of its access token; default: the credential of the target. */
  readonly tokens?: AccessTokens | undefined
  /** The value of its Authorization header. The sending chain sets it for each attempt. */
  authorization?: string | undefined
  /** Flat: name, value, name, value. Without Authorization, Host and framing. */
  readonly headers: readonly string[]
  /** `undefined`: none. A Buffer can be sent again, a Readable once. */
  readonly body: Buffer | Readable | undefined
  /** Length of a Readable body in bytes, if its sender announced it. */
  readonly bodyLength: number | undefined
  /**
   * Whether sending it twice has the same effect as once (OData: GET, HEAD, OPTIONS; PUT and
   * DELETE; PATCH with If-Match, or with If-None-Match: *). `keyed`: a create whose row has a primary key in the body.
   */
  readonly repeatable: 'read' | 'idempotent' | 'keyed' | 'never'
  /** The queue's fairness key: a busy key does not starve the others. */
  readonly fairnessKey: string
  /** Absent: interactive. */
  readonly priority?: Priority
  /** When the caller stops waiting, by `performance.now()`; `undefined`: only the settings' limits apply. */
  readonly deadline: number | undefined
  /** Rewrites the gateway's links in the body as Dynamics' links; `undefined`: the body is sent unchanged. */
  readonly transform: (() => TextTransform) | undefined
  /** The create of a request with `Idempotency-Key`; absent on all others. */
  readonly idempotency?: IdempotentCreate | undefined
  /** As whom a read runs, where its response may be shared or come from memory; absent on all other requests. */
  readonly cacheableRead?: CacheableRead | undefined
  /** The writes of a `$batch`, recorded while its body is read. */
  readonly writtenParts?: readonly WrittenPart[] | undefined
  /** Called before each retry after a failure. */
  readonly onRetry?: (() => void) | undefined
  /** Ends the request early. */
  readonly cancellation: Cancellation
  /** Its total time. The sending chain sets it, for each copy of a request separately. */
  timeLimit?: TimeLimit | undefined
  /** Times in milliseconds; each stage adds its own. */
  readonly timings: Timings
  /** The record of its events; each stage adds its own. */
  readonly record: RequestRecord
}

/** What decides whose response a read may share. */
export interface CacheableRead {
  /** The user and the credential that it runs with. */
  readonly identity: string
  /** Whether it must be sent: the caller takes nothing from memory. */
  readonly mustBeSent: boolean
  /** What the caller's `Cache-Control` demands; `undefined` without one. */
  readonly directives?: CacheDirectives | undefined
}

/**
 * What a request's `Cache-Control` demands of a response from memory.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1
 */
export interface CacheDirectives {
  readonly noCache: boolean
  readonly noStore: boolean
  readonly onlyIfCached: boolean
  /** The highest age, in ms; `Infinity`: any. */
  readonly maxAgeMs: number
  /** How long the response must stay fresh, in ms. */
  readonly minFreshMs: number
}

/** A write inside a `$batch`. */
export interface WrittenPart {
  readonly method: string
  /** Raw, below the API root, without its query. */
  readonly resourcePath: string
}

/** A create that makes one row, no matter how often it is sent. */
export interface IdempotentCreate {
  /** The caller's key. */
  readonly key: string
  readonly entitySet: string
  /** The caller id that the request is sent with; empty for the application user. */
  readonly user: string
  /** Whether the response must contain the row: `Prefer: return=representation`. */
  readonly wantsRow: boolean
}

/** Milliseconds, as `Server-Timing` shows them. */
export interface Timings {
  /** Waiting for an access token. */
  token: number
  /** Looking the user up. */
  user: number
  /** In the queue, and waiting out limits. */
  wait: number
  /** From sending to the head of the response. */
  dynamics: number
}

/** Whether a request has waited for anything but Dynamics itself. Most have not. */
export function hasWaited({ token, user, wait }: Timings): boolean {
  return token > 0 || user > 0 || wait > 0
}

/** A response of Dynamics: a head, and a body that flows when it is consumed. */
export interface UpstreamResponse {
  readonly status: number
  /** Flat, as received: name, value, name, value, as bytes (latin1). */
  readonly headers: readonly Buffer[]
  readonly body: ResponseBody
}

/**
 * A body that has perhaps arrived already. Exactly one of `pipeTo`, `bytes` and `dump` is called, once; `dump` also
 * after `pipeTo`, where the rest is not wanted. The sink hears nothing any more then.
 */
export interface ResponseBody {
  /** Whether it has arrived completely, so that `bytes` resolves at once. */
  readonly complete: boolean
  /** Bytes that have arrived and are not consumed yet. */
  readonly bufferedBytes: number
  /** The first bytes that arrived, without consuming them. */
  readonly peek: () => Buffer | undefined
  /**
   * Writes all chunks to `sink`, now and as they arrive, with back-pressure. The head of the response
   * must be read before.
   */
  readonly pipeTo: (sink: Sink) => void
  /** The complete body, up to `limit` bytes; fails beyond. For refusals and lookups, never for responses to callers. */
  readonly bytes: (limit: number) => Promise<Buffer>
  /** Discards the body: a short rest is read so that the connection can be reused, a long one is aborted. */
  readonly dump: () => void
  /** Calls back when the body has ended, failed or been aborted; at once if it already has. */
  readonly onClose: (callback: () => void) => void
}

/** Where a body goes. */
export interface Sink {
  /** `false`: no more until `resume` is called. */
  readonly write: (chunk: Buffer) => boolean
  readonly end: () => void
  /** The body was truncated: the written bytes are incomplete. */
  readonly fail: (reason: Error) => void
  /** Continues after a pause. Set by the body when `write` has returned `false`, or before. */
  resume: (() => void) | undefined
}

/**
 * The first value of a response header.
 *
 * @param name in lower case
 */
export function header({ headers }: Pick<UpstreamResponse, 'headers'>, name: string): string | undefined {
  return rawHeader(headers, name)
}

/**
 * `request` with another cancellation. The copy is changed by an assignment: a member after `...` is a call into V8's
 * runtime (docs/decisions/cost-of-a-request.md).
 */
export function withCancellation(request: OutboundRequest, cancellation: Cancellation): OutboundRequest {
  const copy: { -readonly [Member in keyof OutboundRequest]: OutboundRequest[Member] } = { ...request }
  copy.cancellation = cancellation
  return copy
}

/**
 * `response` with one header set to `value`.
 *
 * @param name in lower case
 */
export function withHeader(response: UpstreamResponse, name: string, value: string): UpstreamResponse {
  const headers: Buffer[] = []
  for (let index = 0; index < response.headers.length; index += 2) {
    if (!isNamed(response.headers[index]!, name)) headers.push(response.headers[index]!, response.headers[index + 1]!)
  }
  headers.push(Buffer.from(name), Buffer.from(value))
  return { status: response.status, headers, body: response.body }
}
