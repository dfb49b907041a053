import { DynamicsAnswerInvalid, DynamicsTooSlow } from '../errors.ts'
import { OwnError } from '../logging/own-error.ts'
import type { OutboundAgent } from '../outbound/agent.ts'
import type { PoolHandler } from '../outbound/connection-pool.ts'
import { Cancellation } from './cancellation.ts'
import type { CancellationHolder } from './cancellation.ts'
import { Failure } from './failure.ts'
import { RequestRecord } from './request-record.ts'
import { withRetryAdvice } from './retry-advice.ts'
import type { UpstreamResponse, ResponseBody, OutboundRequest, Sink } from './send.ts'

/** Decides whether a request may be sent, and learns of its connection. */
export interface Gate {
  /** A reason not to send now. Called before a connection is requested, and again on the connection before writing. */
  readonly holdReason: (cancellation: Cancellation) => Error | undefined
  /** A connection was established. */
  readonly connected: () => void
}

/** Response bytes that are buffered while nothing consumes them; beyond, the connection is paused. */
const MAX_BUFFERED_BYTES = 64 * 1024

/** How many 1xx responses may precede the final one; each restarts the timeout for the head. */
const MAX_INFORMATIONAL_RESPONSES = 10

/** Bytes of an unwanted response that are read to its end, so that the connection can be reused. */
const MAX_DRAIN_BYTES = 64 * 1024

/**
 * A response as it arrives: undici's handler and the {@link UpstreamResponse} in one object, because one is created for
 * every request. There is no `Readable` between the connection and the caller (it would take half of a request's time).
 * Implements undici 7's handler with raw header arrays, its fastest one.
 */
export class ResponseHandler implements PoolHandler, CancellationHolder, UpstreamResponse, ResponseBody {
  status = 0
  headers: readonly Buffer[] = NO_BUFFERS
  complete = false
  bufferedBytes = 0
  readonly #agent: Pick<OutboundAgent, 'connectionUse'>
  readonly #gate: Gate
  readonly #began: number
  #request: OutboundRequest
  #resolve: (response: UpstreamResponse) => void
  #reject: (error: Error) => void
  #chunks: Buffer[] = NO_BUFFERS
  #sink: Sink | undefined
  #leaveQueue: ((reason: Error) => void) | undefined
  #abort: ((error?: Error) => void) | undefined
  #resume: (() => void) | undefined
  #failure: Error | undefined
  #wasIdle = false
  #informationalResponses = 0
  #answered = false
  #isDumped = false
  #hasEnded = false
  #onClose: () => void = nothing

  constructor(
    request: OutboundRequest,
    began: number,
    agent: Pick<OutboundAgent, 'connectionUse'>,
    gate: Gate,
    resolve: (response: UpstreamResponse) => void,
    reject: (error: Error) => void,
  ) {
    this.#request = request
    this.#began = began
    this.#agent = agent
    this.#gate = gate
    this.#resolve = resolve
    this.#reject = reject
    request.cancellation.hold(this)
  }

  get body(): ResponseBody {
    return this
  }

  /** Called by the pool. */
  onQueued(leave: (reason: Error) => void): void {
    this.#leaveQueue = leave
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#gate.connected()
    this.#failure ??= this.#gate.holdReason(this.#request.cancellation)
    if (this.#failure !== undefined) {
      this.#reject(this.#failure)
      return abort(this.#failure)
    }
    this.#abort = abort
    const use = this.#agent.connectionUse?.()
    this.#wasIdle = use !== undefined && use !== 'new'
    this.#request.record.attemptSent(use)
  }

  onHeaders(status: number, headers: Buffer[], resume: () => void): boolean {
    if (status < 200) {
      if (++this.#informationalResponses > MAX_INFORMATIONAL_RESPONSES)
        this.#abort?.(new DynamicsAnswerInvalid({ cause: new OwnError('too many 1xx') }))
      return true
    }
    this.status = status
    this.headers = headers
    this.#resume = resume
    this.#answered = true
    const now = performance.now()
    this.#request.timings.dynamics += now - this.#began
    this.#request.record.attemptEnded(now, status)
    this.#resolve(this)
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.#sink !== undefined) return this.#sink.write(chunk)
    this.bufferedBytes += chunk.length
    if (this.#isDumped) {
      if (this.bufferedBytes > MAX_DRAIN_BYTES) this.#abort?.()
      return true
    }
    if (this.#chunks === NO_BUFFERS) this.#chunks = [chunk]
    else this.#chunks.push(chunk)
    return this.bufferedBytes < MAX_BUFFERED_BYTES
  }

  onComplete(): void {
    this.complete = true
    this.#request.cancellation.release(this)
    this.#sink?.end()
    this.#end()
  }

  onError(error: Error): void {
    this.#request.cancellation.release(this)
    if (this.#answered) {
      this.#failure = error
      if (this.#request.cancellation.reason === undefined) this.#request.record.bodyError = error
      if (!this.#isDumped) this.#sink?.fail(error)
      this.#end()
    } else {
      const now = performance.now()
      this.#request.timings.dynamics += now - this.#began
      this.#request.record.attemptEnded(now, undefined, error)
      this.#reject(this.#request.cancellation.reason ?? new Failure(error, this.#abort !== undefined, this.#wasIdle))
    }
  }

  peek(): Buffer | undefined {
    return this.#chunks[0]
  }

  pipeTo(sink: Sink): void {
    // The consumer of the body has read the head.
    this.headers = NO_BUFFERS
    this.#startFlow(sink)
  }

  #startFlow(sink: Sink): void {
    sink.resume = this.#resume
    this.#sink = sink
    const chunks = this.#chunks
    this.#chunks = NO_BUFFERS
    let more = true
    for (const chunk of chunks) more = sink.write(chunk)
    if (this.#hasEnded) this.#sink = undefined
    if (this.#failure !== undefined) return sink.fail(this.#failure)
    if (this.complete) return sink.end()
    // The buffered bytes may have paused the connection.
    if (more && this.bufferedBytes >= MAX_BUFFERED_BYTES) this.#resume?.()
  }

  bytes(limit: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let length = 0
      this.#startFlow({
        resume: undefined,
        write: (chunk) => {
          length += chunk.length
          if (length > limit) this.#abort?.(new OwnError(`the body is larger than ${limit} bytes`))
          else chunks.push(chunk)
          return true
        },
        end: () => resolve(Buffer.concat(chunks, length)),
        fail: reject,
      })
    })
  }

  dump(): void {
    this.#isDumped = true
    this.#chunks = NO_BUFFERS
    this.#sink = undefined
    if (!this.complete && this.#failure === undefined) this.#resume?.()
  }

  onClose(callback: () => void): void {
    if (this.#hasEnded) return callback()
    const before = this.#onClose
    this.#onClose =
      before === nothing
        ? callback
        : () => {
            before()
            callback()
          }
  }

  /**
   * Releases all references: undici keeps this object for longer, so they would stay in memory.
   */
  #end(): void {
    const onClose = this.#onClose
    this.#hasEnded = true
    this.#request = ENDED_REQUEST
    this.#resolve = this.#reject = this.#onClose = nothing
    this.#sink = this.#leaveQueue = this.#abort = this.#resume = undefined
    onClose()
  }

  /** Whether a write that timed out was sent. (A caller that disconnected reads nothing any more.) */
  #mayBeCarriedOut(reason: Error): boolean {
    return reason instanceof DynamicsTooSlow && this.#abort !== undefined
  }

  /** The caller disconnected, or the time is over. */
  onCancelled(reason: Error): void {
    this.#leaveQueue?.(reason)
    this.#failure = reason
    this.#request.record.attemptEnded(performance.now(), undefined, reason)
    if (!this.#answered) this.#reject(this.#mayBeCarriedOut(reason) ? withRetryAdvice(reason, this.#request) : reason)
    this.#abort?.(reason)
  }
}

/** Instead of an array for each response without them. Nothing is ever added to it. */
const NO_BUFFERS: Buffer[] = []

/** Replaces a finished request. */
const ENDED_REQUEST = {
  cancellation: new Cancellation(),
  timings: {},
  record: new RequestRecord('', 0),
} as unknown as OutboundRequest

function nothing(): void {}
