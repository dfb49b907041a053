import type { Explanation } from '../explanations/explanation.ts'
import { entitySetOf } from '../odata/entity-set.ts'
import type { ConnectionUse } from '../outbound/pooled-connection.ts'
import { newSpanId, traceparentOf } from './trace-context.ts'
import type { TraceContext } from './trace-context.ts'

/** Whether a person waits for the request, or it is bulk work that goes behind the others. */
export type Priority = 'interactive' | 'background'

/**
 * Why a request waited: for a token, the lookup of its user, a slot, the end of Dynamics' limits, or before a retry.
 */
export type WaitReason = 'token' | 'user' | 'queue' | 'pause' | 'retry'

/** One wait of a request. */
export interface Wait {
  readonly reason: WaitReason
  /** Its start, by `performance.now()`. */
  readonly start: number
  readonly ms: number
}

/** One attempt to send a request. */
export interface AttemptRecord {
  /** May differ from the caller's method: a QUERY is sent to Dynamics as a GET. */
  readonly method: string
  /** `performance.now()` when it was handed to the connection pool. */
  readonly start: number
  /** Until the head of the response arrived or the attempt failed; `undefined` before that. */
  readonly ms: number | undefined
  readonly status: number | undefined
  /** The error that ended it without a response. */
  readonly failure: Error | undefined
  /** Whether bytes of it may have reached Dynamics. */
  readonly sent: boolean
  /** How it got its connection; `undefined` if it got none, or it is not known. */
  readonly connection: ConnectionUse | undefined
  /** Why the request was sent again after this attempt; `undefined` if it was not. */
  readonly resentFor: string | undefined
  /** The id of its span, if the request is traced. */
  readonly spanId: string | undefined
}

/** How the user of a request was found. */
export type UserSource = 'memory' | 'lookup' | 'token' | 'caller-id' | 'on-behalf-of'

/** The source of a response: Dynamics, the gateway's memory, or the response to an identical request. */
export type ResponseSource = 'dynamics' | 'memory' | 'shared'

/** The most attempts, and the most waits, in one record. Later ones are left out. */
const MAX_ENTRIES = 50

/**
 * What happened to one request, for the log, the inspector and traces. Each part of the gateway adds its own facts. It
 * has no query, key, header value or body. It is a class with fields for the usual case, because every request has one;
 * rare facts use memory only when they occur.
 */
export class RequestRecord {
  readonly id: string
  /** `performance.now()` when the request began. */
  readonly started: number
  trace: TraceContext | undefined
  /** The name of the target; `undefined` for the gateway's own URLs, and for a single target without a name. */
  target: string | undefined = undefined
  /** The entity set, function or action, without keys; `undefined` until it is read from the path. */
  entitySet: string | undefined = undefined
  /** Why the caller's rules refused it, or would have refused it in a dry run, as in the error message. */
  denialReason: string | undefined = undefined
  /** The `allow` rules that allowed it, or parts of its `$batch`; `undefined` if none was needed. */
  allowedBy: Set<string> | undefined = undefined
  /** Whose rights it has if it names no user; `undefined` for the gateway's own URLs. */
  defaultUser: 'application user' | 'signed-in person' | undefined = undefined
  userSource: UserSource | undefined = undefined
  /** The error code of Dynamics, such as `0x80040217`. */
  dynamicsCode: string | undefined = undefined
  /** The id of the request at Dynamics, for Microsoft's support. */
  dynamicsRequestId: string | undefined = undefined
  source: ResponseSource = 'dynamics'
  /** The value of `Cache-Status` (RFC 9211), without the name of the gateway. */
  cacheStatus = 'fwd=bypass'
  /** What the error of Dynamics means. Only set if it is shown. */
  explanation: Explanation | undefined = undefined
  /** The number of `$batch` parts by their status. */
  parts: Map<number, number> | undefined = undefined
  /** For a stream of all rows: the pages that were read, and the rows that were written. */
  pages = 0
  rows = 0
  waits: Wait[] | undefined = undefined
  /** Requests of the gateway itself that this one needed: the lookup of its user, or of its table. */
  lookups: RequestRecord[] | undefined = undefined
  priority: Priority = 'interactive'
  /** The concurrency slot that it used, counted from 1, and the number of slots; 0: none. */
  slot = 0
  slots = 0
  /** How often it was given to the connection pool. */
  attempts = 0
  /** Whether bytes of it may have reached Dynamics. */
  sent = false
  /** The error that ended the body of the response early. The caller's connection was reset. */
  bodyError: Error | undefined = undefined
  /** How its last attempt got its connection; `undefined` if it got none, or it is not known. */
  connection: ConnectionUse | undefined = undefined
  #earlier: AttemptRecord[] | undefined = undefined
  #method = ''
  #start = 0
  #ms: number | undefined = undefined
  #status: number | undefined = undefined
  #failure: Error | undefined = undefined
  #sent = false
  #resentFor: string | undefined = undefined
  #spanId: string | undefined = undefined

  constructor(id: string, started: number, trace?: TraceContext) {
    this.id = id
    this.started = started
    this.trace = trace
  }

  /** Starts an attempt: the request is given to the connection pool. */
  attemptStarted(now: number, method: string): void {
    if (this.attempts > 0 && (this.#earlier === undefined || this.#earlier.length < MAX_ENTRIES)) {
      ;(this.#earlier ??= []).push(this.#last())
    }
    this.attempts++
    this.#method = method
    this.#start = now
    this.#ms = this.#status = this.#failure = this.#resentFor = this.#spanId = undefined
    this.#sent = false
    this.connection = undefined
  }

  /** The request is being written to a connection. */
  attemptSent(connection?: ConnectionUse): void {
    this.sent = this.#sent = true
    this.connection = connection
  }

  /** Ends the attempt with a status or a failure. Only the first call counts. */
  attemptEnded(now: number, status: number | undefined, failure?: Error): void {
    if (this.#ms !== undefined) return
    this.#ms = now - this.#start
    this.#status = status
    this.#failure = failure
  }

  /** The request is sent again after the last attempt. */
  willResend(reason: string): void {
    this.#resentFor = reason
  }

  waited(reason: WaitReason, start: number, ms: number): void {
    if (this.waits === undefined) this.waits = [{ reason, start, ms }]
    else if (this.waits.length < MAX_ENTRIES) this.waits.push({ reason, start, ms })
  }

  slotAcquired(slot: number, slots: number): void {
    this.slot = slot
    this.slots = slots
  }

  partAnswered(status: number): void {
    this.parts ??= new Map()
    this.parts.set(status, (this.parts.get(status) ?? 0) + 1)
  }

  /** All attempts, in order. */
  allAttempts(): readonly AttemptRecord[] {
    return this.attempts === 0 ? [] : [...(this.#earlier ?? []), this.#last()]
  }

  /** `traceparent` for the current attempt, with its own span; `undefined` if the gateway does not trace. */
  attemptTraceparent(): string | undefined {
    const { trace } = this
    if (trace?.spanId === undefined) return undefined
    if (!trace.sampled) return traceparentOf(trace.traceId, trace.spanId, false)
    this.#spanId = newSpanId()
    return traceparentOf(trace.traceId, this.#spanId, true)
  }

  #last(): AttemptRecord {
    return {
      method: this.#method,
      start: this.#start,
      ms: this.#ms,
      status: this.#status,
      failure: this.#failure,
      sent: this.#sent,
      connection: this.connection,
      resentFor: this.#resentFor,
      spanId: this.#spanId,
    }
  }
}

/** Makes the record of a lookup that `parent` needs, with the same id and trace. */
export function lookupRecord(parent: RequestRecord, requestTarget: string): RequestRecord {
  const record = new RequestRecord(parent.id, performance.now(), parent.trace)
  record.entitySet = entitySetOf(requestTarget)
  ;(parent.lookups ??= []).push(record)
  return record
}

/** The ids of a request in log lines: its own, and that of its trace. */
export interface RequestIds {
  readonly id: string
  readonly traceId?: string
}

export function requestIds({ id, trace }: RequestRecord): RequestIds {
  return trace === undefined ? { id } : { id, traceId: trace.traceId }
}
