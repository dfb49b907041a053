import type { Readable } from 'node:stream'

import type { AccessTokens } from '../credentials/credential.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import type { Cancellation } from './cancellation.ts'
import type { RequestRecord } from './request-record.ts'

/**
 * Sends one request and returns what was answered. When there is no answer the promise brings one of `errors.ts`;
 * nothing is ever thrown at once.
 */
export type Send = (request: OutboundRequest) => Promise<Answer>

/** A request on its way to Dynamics. */
export interface OutboundRequest {
  readonly method: string
  /** Origin-form: path and query, byte for byte. */
  readonly path: string
  /** Where its access token comes from; left out: the credential of the target. */
  readonly tokens?: AccessTokens | undefined
  /** Flat: name, value, name, value. Without Authorization, Host and framing. */
  readonly headers: readonly string[]
  /** `undefined`: none. A Buffer can be sent again, a Readable once. */
  readonly body: Buffer | Readable | undefined
  /** Bytes of a Readable body, where its sender has said so. */
  readonly bodyLength: number | undefined
  /**
   * Whether sending it twice does no more than sending it once (OData: GET, HEAD, OPTIONS; PUT and
   * DELETE; PATCH with If-Match, or with If-None-Match: *). `keyed`: a create whose row has a primary key in the body.
   */
  readonly repeatable: 'read' | 'idempotent' | 'keyed' | 'never'
  /** Who it is queued for: one busy name does not starve the others. */
  readonly fairnessKey: string
  /** `performance.now()` at which the caller stops waiting; `undefined`: only the settings' limits hold. */
  readonly deadline: number | undefined
  /** Turns what the body says of the gateway into what Dynamics understands; `undefined`: the body goes as it is. */
  readonly transform: (() => TextTransform) | undefined
  /** What the caller's `Idempotency-Key` asks for; absent on all other requests. */
  readonly idempotency?: IdempotentCreate | undefined
  /** Called each time that the request is sent again after a failure. */
  readonly onRetry?: (() => void) | undefined
  /** How the request ends early. */
  readonly cancellation: Cancellation
  /** Where the time goes, in milliseconds; each wrapper adds its own. */
  readonly timings: Timings
  /** What happens to it; each wrapper notes its own. */
  readonly record: RequestRecord
}

/** A create that makes one row, however often it is sent. */
export interface IdempotentCreate {
  /** As the caller wrote it. */
  readonly key: string
  readonly entitySet: string
  /** The caller id that the request is sent with; empty for the application user. */
  readonly user: string
  /** Whether the row is to be answered: `Prefer: return=representation`. */
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
  /** From sending to the head of the answer. */
  dynamics: number
}

/** What Dynamics answered: a head, and a body that flows once somebody takes it. */
export interface Answer {
  readonly status: number
  /** Flat, as received: name, value, name, value, as bytes (latin1). */
  readonly headers: readonly Buffer[]
  readonly body: AnswerBody
}

/**
 * A body that has perhaps arrived already. Exactly one of `pipeTo`, `bytes` and `dump` is called, once; `dump` also
 * after `pipeTo`, where the rest is not wanted. The sink hears nothing any more then.
 */
export interface AnswerBody {
  /** Whether all of it has arrived, so that `whole` answers at once. */
  readonly complete: boolean
  /** Bytes that have arrived and that nobody took yet. */
  readonly bufferedBytes: number
  /** The first bytes that arrived, as long as nobody took them. They stay where they are. */
  readonly peek: () => Buffer | undefined
  /**
   * Hands all chunks to `sink`, now and as they arrive; the sink says when it has enough for now. The answer's
   * head is to be read before.
   */
  readonly pipeTo: (sink: Sink) => void
  /** The whole body, up to `limit` bytes; fails beyond. For refusals and look-ups, never for what a caller gets. */
  readonly bytes: (limit: number) => Promise<Buffer>
  /** Lets the body go: a short rest is read so that the connection can be used again, a long one is cut. */
  readonly dump: () => void
  /** Calls back once nothing more comes, at once if so already: the body has ended, failed or been cut. */
  readonly onClose: (callback: () => void) => void
}

/** Where a body goes. */
export interface Sink {
  /** `false`: no more until `resume` is called. */
  readonly write: (chunk: Buffer) => boolean
  readonly end: () => void
  /** The body broke off: what was written is not the whole. */
  readonly fail: (reason: Error) => void
  /** Set by the body before the first `write`. */
  resume: (() => void) | undefined
}

/**
 * The value of a response's header, the first where there are several.
 *
 * @param name in lower case
 */
export function header({ headers }: Pick<Answer, 'headers'>, name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    if (isNamed(headers[index]!, name)) return headers[index + 1]!.toString('latin1')
  }
  return undefined
}

/**
 * `answer` with one of its headers set to `value`.
 *
 * @param name in lower case
 */
export function withHeader(answer: Answer, name: string, value: string): Answer {
  const headers: Buffer[] = []
  for (let index = 0; index < answer.headers.length; index += 2) {
    if (!isNamed(answer.headers[index]!, name)) headers.push(answer.headers[index]!, answer.headers[index + 1]!)
  }
  headers.push(Buffer.from(name), Buffer.from(value))
  return { status: answer.status, headers, body: answer.body }
}

function isNamed(header: Buffer, name: string): boolean {
  return header.length === name.length && header.toString('latin1').toLowerCase() === name
}
