import type { Socket } from 'node:net'

import { errors } from 'undici'
import type { Dispatcher } from 'undici'

import { OwnError } from '../own-error.ts'
import { pausable } from './pausable-socket.ts'
import type { PausableSocket } from './pausable-socket.ts'

/** Back-pressure that pauses connections, and never undici's parser. */
export interface Pausing {
  /** To be called with each connection before undici has it. */
  readonly adopt: (socket: Socket) => void
  /** Makes a dispatcher pause connections where handlers ask for a pause. */
  readonly through: (dispatcher: Dispatcher) => void
}

/** How long an answer's body may stand still where the request does not say, in milliseconds: undici's default. */
const IDLE = 300_000

/**
 * undici 7 loses an answer, or ends the process with a failed assertion, when a connection ends while its parser is
 * paused (nodejs/undici#5360). So the parser is never paused: a handler that asks for a pause pauses the socket.
 * See docs/decisions/undici-paused-parser.md.
 *
 * @until undici 8, which needs Node 22.19
 */
export function createPausing(): Pausing {
  let reading: PausableSocket | undefined
  const onRead = (socket: PausableSocket): void => {
    reading = socket
  }
  const current = (): PausableSocket | undefined => reading

  return {
    adopt: (socket) => void pausable(socket, onRead),
    through(dispatcher) {
      const dispatch = dispatcher.dispatch.bind(dispatcher)
      dispatcher.dispatch = (options, handler) => {
        const idle = options.bodyTimeout ?? IDLE
        // undici's own timer knows nothing of the pauses.
        return dispatch({ ...options, bodyTimeout: 0 }, new PausingHandler(handler, idle, current))
      }
    },
  }
}

/** undici's handler of raw header arrays, around another one. */
class PausingHandler implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler
  readonly #idle: number
  readonly #current: () => PausableSocket | undefined
  #socket: PausableSocket | undefined
  #abort: ((error?: Error) => void) | undefined

  constructor(handler: Dispatcher.DispatchHandler, idle: number, current: () => PausableSocket | undefined) {
    this.#handler = handler
    this.#idle = idle
    this.#current = current
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = abort
    this.#handler.onConnect?.(abort)
  }

  onHeaders(status: number, headers: Buffer[], _resume: () => void, statusText: string): boolean {
    // A later answer may be on the connection by the time that somebody resumes this one.
    const resume = (): void => this.#socket?.resume()
    if (status >= 200) {
      // undici takes the bytes of a connection and parses them in one go.
      this.#socket = this.#current()
      this.#socket?.watch(this.#idle, () => this.#abort?.(new errors.BodyTimeoutError()))
    }
    if (this.#handler.onHeaders?.(status, headers, resume, statusText) === false) this.#socket?.pause()
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.#handler.onData?.(chunk) === false) this.#socket?.pause()
    return true
  }

  onComplete(trailers: string[] | null): void {
    const broken = this.#socket?.broken === true
    this.#release()
    // For undici, the end of a connection is the end of an answer without a length, whatever ended it.
    if (broken) this.#handler.onError?.(new OwnError('the connection broke'))
    else this.#handler.onComplete?.(trailers)
  }

  onError(error: Error): void {
    this.#release()
    this.#handler.onError?.(error)
  }

  #release(): void {
    this.#socket?.release()
    this.#socket = this.#abort = undefined
  }
}
