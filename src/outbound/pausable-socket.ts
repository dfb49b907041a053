import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import { inactivityTimer } from './inactivity.ts'
import type { InactivityListener, InactivityTimer } from './inactivity.ts'
import { hasUnsentBytes, isClosedByPeer, sentBytes } from './socket-handle.ts'

/**
 * A connection that can be paused without pausing undici's parser. Create it before undici adds its listeners.
 *
 * While paused, `read` returns nothing and `push` stops reading from the kernel, so that neither an end nor a reset
 * overtakes data. undici has then parsed all data that it was given. Only in this state does it handle an end
 * correctly.
 *
 * It is a class, because V8 is slow with the getters of object literals, of which each connection would have its own: 0.4
 * µs per request.
 */
export class PausableSocket {
  readonly #socket: Socket
  readonly #timer: InactivityTimer
  #isPaused = false
  #isUploading = false
  #broken = false

  constructor(socket: Socket) {
    const read = socket.read.bind(socket)
    const push = socket.push.bind(socket)
    let ended = false
    let cut = false
    this.#socket = socket
    this.#timer = inactivityTimer(
      socket,
      () => this.#isPaused || (this.#isUploading && !socket.writableNeedDrain),
      () => sentBytes(socket),
    )

    socket.read = (size?: number) => {
      // Node's own `read(0)` reads more data, or ends the stream.
      if (size === 0) return this.#isPaused && !ended ? null : read(0)
      if (this.#isPaused) return null
      return read(size)
    }
    socket.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk === null) {
        ended = true
        cut = socket instanceof TLSSocket && !isClosedByPeer(socket)
      }
      return push(chunk, encoding) && !this.#isPaused
    }
    socket.on('error', () => {
      this.#broken = true
    })
    // A reset that is read together with the last bytes appears as an end. Then the socket has no peer any longer.
    socket.on('end', () => {
      this.#broken ||= cut || socket.remoteAddress === undefined
    })
    socket.on('close', () => {
      this.#broken ||= !socket.readableEnded
    })
  }

  /** Whether the connection may have been cut: its end is not accepted as the end of a response. */
  get broken(): boolean {
    return this.#broken
  }

  /** Whether the kernel has not taken all bytes of the request yet. */
  get sending(): boolean {
    return hasUnsentBytes(this.#socket)
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    // Not synchronously: the parser may be running, and it is not reentrant.
    process.nextTick(() => {
      if (!this.#isPaused && !this.#socket.destroyed) this.#socket.emit('readable')
    })
  }

  /**
   * The request is being written. Calls `listener` when the server neither takes it nor responds for `limit`
   * milliseconds (0: never). While there is nothing to write, the request's body is late, not the server.
   */
  watchRequest(limit: number, listener: InactivityListener): void {
    this.#isUploading = true
    this.#timer.start(limit, listener)
  }

  /** The request has been written: from now on the server is late. */
  requestSent(): void {
    this.#isUploading = false
  }

  /** Calls `listener` when no data has arrived for `limit` milliseconds (0: never). Pauses do not count. */
  watchResponse(limit: number, listener: InactivityListener): void {
    this.#isUploading = false
    this.#timer.start(limit, listener)
  }

  /** The response has ended: stops the timer, and ends a pause. */
  release(): void {
    this.#isPaused = false
    this.#timer.stop()
  }
}
