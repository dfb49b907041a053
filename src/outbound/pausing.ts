import { errors } from 'undici'
import type { Dispatcher } from 'undici'

import { OwnError } from '../logging/own-error.ts'
import type { InactivityListener } from './inactivity.ts'
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
   * The response is complete.
   *
   * @param now `performance.now()`
   * @param quietSince the earliest time at which its end may have been sent
   */
  readonly onComplete: (now: number, quietSince: number) => void
  /** Returns `true` if the request can go to another connection: it was not written, or it may be repeated. */
  readonly onFailure: (error: Error) => boolean
}

/** The default timeouts of a response's head and body, in milliseconds: those of undici. */
const DEFAULT_TIMEOUT_MS = 300_000

/** Sends a request on another connection. */
export type SendElsewhere<Options> = (options: Options, handler: Dispatcher.DispatchHandler) => void

/**
 * Back-pressure that pauses the connection instead of undici's parser. undici 7 loses a response, or ends the process
 * with a failed assertion, when a connection ends while its parser is paused (nodejs/undici#5360). Therefore a pause by
 * the handler pauses the socket. See docs/decisions/undici-paused-parser.md.
 *
 * It wraps a handler of undici's interface with raw header arrays.
 *
 * @until undici 8, which needs Node 22.19
 */
export class PausingHandler<Options extends Dispatcher.DispatchOptions>
  implements Dispatcher.DispatchHandler, InactivityListener
{
  readonly #handler: Dispatcher.DispatchHandler
  readonly #connection: CarryingConnection
  readonly #options: Options
  readonly #sendElsewhere: SendElsewhere<Options>
  #socket: PausableSocket | undefined
  #abort: ((error?: Error) => void) | undefined
  #hasHead = false
  #firstPause: number | undefined

  /**
   * @param options of the request. Their timeouts count here and not in undici, which would count pauses, and create and
   *   clear timers for each request
   */
  constructor(
    handler: Dispatcher.DispatchHandler,
    connection: CarryingConnection,
    options: Options,
    sendElsewhere: SendElsewhere<Options>,
  ) {
    this.#handler = handler
    this.#connection = connection
    this.#options = options
    this.#sendElsewhere = sendElsewhere
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = abort
    this.#connection.onSend()
    this.#socket = this.#connection.socket
    this.#socket?.watchRequest(this.#options.headersTimeout ?? DEFAULT_TIMEOUT_MS, this)
    this.#handler.onConnect?.(abort)
  }

  onInactive(): void {
    this.#abort?.(this.#hasHead ? new errors.BodyTimeoutError() : new errors.HeadersTimeoutError())
  }

  onRequestSent(): void {
    this.#socket?.requestSent()
  }

  onHeaders(status: number, headers: Buffer[], _resume: () => void, statusText: string): boolean {
    // When this response is resumed, the connection may already have a later one.
    const resume = (): void => this.#socket?.resume()
    if (status >= 200) {
      this.#connection.onResponse(status, headers)
      this.#hasHead = true
      this.#socket?.watchResponse(this.#options.bodyTimeout ?? DEFAULT_TIMEOUT_MS, this)
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
    const now = performance.now()
    // During a pause the rest may have waited in the kernel.
    this.#connection.onComplete(now, this.#firstPause ?? now)
    this.#release()
    // For undici, any end of the connection ends a response without a length.
    if (broken) this.#handler.onError?.(new OwnError('the connection broke'))
    else this.#handler.onComplete?.(trailers)
  }

  onError(error: Error): void {
    const canGoElsewhere = this.#connection.onFailure(error)
    this.#release()
    if (canGoElsewhere) this.#sendElsewhere(this.#options, this.#handler)
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
