import { randomFillSync } from 'node:crypto'

import type { Explanation } from '../explanations/explanation.ts'
import { entitySetOf } from '../odata/entity-set.ts'
import type { ConnectionUse } from '../outbound/pooled-connection.ts'

/** Whether somebody waits for a request, or it is bulk work that goes behind the others. */
export type Priority = 'interactive' | 'background'

/** Why a request waited: for an access token, its user's look-up, its turn, Dynamics' limits, or before a retry. */
export type WaitReason = 'token' | 'user' | 'queue' | 'pause' | 'retry'

/** A time in which a request waited. */
export interface Wait {
  readonly reason: WaitReason
  /** `performance.now()` at its beginning. */
  readonly start: number
  readonly ms: number
}

/** One time that a request was sent. */
export interface AttemptRecord {
  /** Not always the caller's: a QUERY goes to Dynamics as a GET. */
  readonly method: string
  /** `performance.now()` when it was handed to the connection pool. */
  readonly start: number
  /** Until the head of the response, or the failure; `undefined` while neither has come. */
  readonly ms: number | undefined
  readonly status: number | undefined
  /** What ended it without a response. */
  readonly failure: Error | undefined
  /** Whether bytes of it may have reached Dynamics. */
  readonly sent: boolean
  /** How it came by its connection; `undefined` where it got none, or that is not known. */
  readonly connection: ConnectionUse | undefined
  /** Why it was sent again after this attempt; `undefined`: it was not. */
  readonly resentFor: string | undefined
  /** Its span's id, where the request is traced. */
  readonly spanId: string | undefined
}

/** The trace that a request belongs to, by W3C's `traceparent`. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** The caller's span: 16 hexadecimal digits; `undefined` where the trace begins here. */
  readonly parentId: string | undefined
  /** The gateway's own span for this request; `undefined` where the gateway itself does not trace. */
  readonly spanId: string | undefined
  readonly sampled: boolean
}

/** How the user of a request was found. */
export type UserSource = 'memory' | 'lookup' | 'token' | 'caller-id' | 'on-behalf-of'

/** Where a response came from: Dynamics, the gateway's memory, or another request that asked for the same. */
export type ResponseSource = 'dynamics' | 'memory' | 'shared'

/** Most attempts and waits that one request's record holds; the later ones are left out. */
const MAX_ENTRIES = 50

/**
 * What happened to one request, noted by whoever handles it; for the log, the inspector and traces. It holds no query,
 * key, header value or body. A class with fields for the usual case, because one is made for every request: what seldom
 * happens takes memory only then.
 */
export class RequestRecord {
  readonly id: string
  /** `performance.now()` when the request began. */
  readonly started: number
  trace: TraceContext | undefined
  /** The target's name; `undefined` for the gateway's own addresses, and where there is one target without a name. */
  target: string | undefined = undefined
  /** The entity set, function or action, without keys; `undefined` where nobody has looked. */
  entitySet: string | undefined = undefined
  /** Why the caller's rules refused it, in the words of the error, or would have in a dry run. */
  denialReason: string | undefined = undefined
  /** The rules that let it, or parts of its `$batch`, through; `undefined` where no `allow` had to. */
  allowedBy: Set<string> | undefined = undefined
  /** Whose rights it has where it names no user; `undefined` for the gateway's own addresses. */
  defaultUser: 'application user' | 'signed-in person' | undefined = undefined
  userSource: UserSource | undefined = undefined
  /** The code of Dynamics' own error: `0x80040217`. */
  dynamicsCode: string | undefined = undefined
  /** The request's id at Dynamics, for Microsoft's support. */
  dynamicsRequestId: string | undefined = undefined
  source: ResponseSource = 'dynamics'
  /** What `Cache-Status` says of a read (RFC 9211), without the gateway's name. */
  cacheStatus = 'fwd=bypass'
  /** What Dynamics' error means; only where somebody wants to show it. */
  explanation: Explanation | undefined = undefined
  /** How many parts of a `$batch` were answered with which status. */
  parts: Map<number, number> | undefined = undefined
  /** Pages that were read for one stream of rows, and rows that were written. */
  pages = 0
  rows = 0
  waits: Wait[] | undefined = undefined
  /** What the gateway itself asked Dynamics for it: its user, or its table. */
  lookups: RequestRecord[] | undefined = undefined
  priority: Priority = 'interactive'
  /** Which place at Dynamics it took, counted from 1, and of how many; 0: none. */
  slot = 0
  slots = 0
  /** How often it was handed to the connection pool. */
  attempts = 0
  /** Whether bytes of it may have reached Dynamics. */
  sent = false
  /** What ended the response within its body; the caller's connection was reset. */
  bodyError: Error | undefined = undefined
  /** How its last attempt came by its connection; `undefined` where it got none, or that is not known. */
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

  /** It is handed to the connection pool, for the first time or again. */
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

  /** It is on a connection. */
  attemptSent(connection?: ConnectionUse): void {
    this.sent = this.#sent = true
    this.connection = connection
  }

  /** The head of a response came, or a failure in its place; the first counts. */
  attemptEnded(now: number, status: number | undefined, failure?: Error): void {
    if (this.#ms !== undefined) return
    this.#ms = now - this.#start
    this.#status = status
    this.#failure = failure
  }

  /** The last attempt is not the end: it is sent again. */
  willResend(reason: string): void {
    this.#resentFor = reason
  }

  waited(reason: WaitReason, start: number, ms: number): void {
    if (this.waits === undefined) this.waits = [{ reason, start, ms }]
    else if (this.waits.length < MAX_ENTRIES) this.waits.push({ reason, start, ms })
  }

  slotAcquired(place: number, places: number): void {
    this.slot = place
    this.slots = places
  }

  partAnswered(status: number): void {
    this.parts ??= new Map()
    this.parts.set(status, (this.parts.get(status) ?? 0) + 1)
  }

  /** All attempts, the first one first. */
  allAttempts(): readonly AttemptRecord[] {
    return this.attempts === 0 ? [] : [...(this.#earlier ?? []), this.#last()]
  }

  /** `traceparent` for the present attempt, with a span of its own; `undefined` where the gateway does not trace. */
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

/** The record of a look-up that a request needs: a part of its own, under the same id and trace. */
export function lookupRecord(parent: RequestRecord, requestTarget: string): RequestRecord {
  const record = new RequestRecord(parent.id, performance.now(), parent.trace)
  record.entitySet = entitySetOf(requestTarget)
  ;(parent.lookups ??= []).push(record)
  return record
}

/** The ids of a request for a line of the log: its own, and its trace's. */
export interface RequestIds {
  readonly id: string
  readonly traceId?: string
}

export function requestIds({ id, trace }: RequestRecord): RequestIds {
  return trace === undefined ? { id } : { id, traceId: trace.traceId }
}

/** A span's id. All zeros would mean none, but that is as unlikely as to meet another id of these bits. */
export function newSpanId(): string {
  return randomHex(8)
}

/** A trace's id. */
export function newTraceId(): string {
  return randomHex(16)
}

/** Random bytes are made for many ids at once, so that one takes 0.1 µs of CPU and not 2.8. */
const pool = Buffer.alloc(8192)
let used = pool.length

function randomHex(bytes: number): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return pool.toString('hex', used, (used += bytes))
}

/** @see https://www.w3.org/TR/trace-context/ */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-((?!0{32})[\da-f]{32})-((?!0{16})[\da-f]{16})-([\da-f]{2})(?:$|-)/

/** What a caller's `traceparent` says; `undefined` where there is none, or it is not well-formed. */
export function traceOf(traceparent: string | string[] | undefined): TraceContext | undefined {
  if (typeof traceparent !== 'string') return undefined
  const [, traceId, parentId, flags] = TRACEPARENT.exec(traceparent) ?? []
  if (traceId === undefined) return undefined
  return { traceId, parentId, spanId: undefined, sampled: (Number.parseInt(flags!, 16) & 1) === 1 }
}

function traceparentOf(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}
