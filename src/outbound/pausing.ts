import { errors } from 'undici'
import type { Dispatcher } from 'undici'

import { OwnError } from '../logging/own-error.ts'
import type { PausableSocket } from './pausable-socket.ts'

/** The connection of a request, and the events that it needs. */
export interface CarryingConnection {
  /** `undefined` until the connection is open. */
  readonly socket: PausableSocket | undefined
  /** The request is about to be written. */
  readonly onSend: () => void
  /** The head of the response has arrived. */
  readonly onResponse: (status: number, headers: readonly Buffer[]) => void
  /**
   * The response is complete. `quietSince`: the earliest time at which its end may have been sent
   * (`performance.now()`).
   */
  readonly onComplete: (quietSince: number) => void
  /** Returns `true` if the request can go to another connection: it was not written, or it may be repeated. */
  readonly onFailure: (error: Error) => boolean
}

/** How long the server may be silent, in milliseconds; 0: for any time. */
interface Timeouts {
  /** Until the head of the final response. */
  readonly head: number
  /** Between two pieces of its body. */
  readonly body: number
}

/**
 * Back-pressure that pauses the connection instead of undici's parser. undici 7 loses a response, or ends the process
 * with a failed assertion, when a connection ends while its parser is paused (nodejs/undici#5360). Therefore a pause by
 * the handler pauses the socket. See docs/decisions/undici-paused-parser.md.
 *
 * It wraps a handler of undici's interface with raw header arrays.
 *
 * @until undici 8, which needs Node 22.19
 */
export class PausingHandler implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler
  readonly #connection: CarryingConnection
  readonly #timeouts: Timeouts
  readonly #sendElsewhere: () => void
  #socket: PausableSocket | undefined
  #abort: ((error?: Error) => void) | undefined
  #firstPause: number | undefined

  /**
   * @param timeouts instead of those of undici, which count pauses, and create and clear timers for each request
   * @param sendElsewhere sends the request on another connection
   */
  constructor(
    handler: Dispatcher.DispatchHandler,
    connection: CarryingConnection,
    timeouts: Timeouts,
    sendElsewhere: () => void,
  ) {
    this.#handler = handler
    this.#connection = connection
    this.#timeouts = timeouts
    this.#sendElsewhere = sendElsewhere
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = abort
    this.#connection.onSend()
    this.#socket = this.#connection.socket
    this.#socket?.watchRequest(this.#timeouts.head, () => this.#abort?.(new errors.HeadersTimeoutError()))
    this.#handler.onConnect?.(abort)
  }

  onRequestSent(): void {
    this.#socket?.requestSent()
  }

  onHeaders(status: number, headers: Buffer[], _resume: () => void, statusText: string): boolean {
    // When this response is resumed, the connection may already have a later one.
    const resume = (): void => this.#socket?.resume()
    if (status >= 200) {
      this.#connection.onResponse(status, headers)
      this.#socket?.watchResponse(this.#timeouts.body, () => this.#abort?.(new errors.BodyTimeoutError()))
    }
    if (this.#handler.onHeaders?.(status, headers, resume, statusText) === false) this.#pause()
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.#handler.onData?.(chunk) === false) this.#pause()
    return true
  }

  onComplete(trailers: string[] | null): void {
    const broken = this.#socket?.broken === true
    // During a pause the rest may have waited in the kernel.
    this.#connection.onComplete(this.#firstPause ?? performance.now())
    this.#release()
    // For undici, any end of the connection ends a response without a length.
    if (broken) this.#handler.onError?.(new OwnError('the connection broke'))
    else this.#handler.onComplete?.(trailers)
  }

  onError(error: Error): void {
    const canGoElsewhere = this.#connection.onFailure(error)
    this.#release()
    if (canGoElsewhere) this.#sendElsewhere()
    else this.#handler.onError?.(error)
  }

  #pause(): void {
    this.#firstPause ??= performance.now()
    this.#socket?.pause()
  }

  #release(): void {
    this.#socket?.release()
    this.#socket = this.#abort = undefined
  }
}
