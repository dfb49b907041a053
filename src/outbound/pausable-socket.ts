import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import { inactivityTimer } from './inactivity.ts'
import type { InactivityListener } from './inactivity.ts'
import { hasUnsentBytes, isClosedByPeer, sentBytes } from './socket-handle.ts'

/** A connection that can be paused without pausing undici's parser. */
export interface PausableSocket {
  /** Whether the connection may have been cut: its end is not accepted as the end of a response. */
  readonly broken: boolean
  /** Whether the kernel has not taken all bytes of the request yet. */
  readonly sending: boolean
  readonly pause: () => void
  readonly resume: () => void
  /**
   * The request is being written. Calls `listener` when the server neither takes it nor responds for `limit`
   * milliseconds (0: never). While there is nothing to write, the request's body is late, not the server.
   */
  readonly watchRequest: (limit: number, listener: InactivityListener) => void
  /** The request has been written: from now on the server is late. */
  readonly requestSent: () => void
  /** Calls `listener` when no data has arrived for `limit` milliseconds (0: never). Pauses do not count. */
  readonly watchResponse: (limit: number, listener: InactivityListener) => void
  /** The response has ended: stops the timer, and ends a pause. */
  readonly release: () => void
}

/**
 * Makes a socket pausable. Call this before undici adds its listeners.
 *
 * While paused, `read` returns nothing and `push` stops reading from the kernel, so that neither an end nor a reset
 * overtakes data. undici has then parsed all data that it was given. Only in this state does it handle an end
 * correctly.
 */
export function pausable(socket: Socket): PausableSocket {
  const read = socket.read.bind(socket)
  const push = socket.push.bind(socket)
  let paused = false
  let ended = false
  let cut = false
  let broken = false
  let isUploading = false
  const timer = inactivityTimer(
    socket,
    () => paused || (isUploading && !socket.writableNeedDrain),
    () => sentBytes(socket),
  )

  const self: PausableSocket = {
    get broken() {
      return broken
    },
    get sending() {
      return hasUnsentBytes(socket)
    },
    pause() {
      paused = true
    },
    resume() {
      if (!paused) return
      paused = false
      // Not synchronously: the parser may be running, and it is not reentrant.
      process.nextTick(readOn)
    },
    watchRequest(limit, listener) {
      isUploading = true
      timer.start(limit, listener)
    },
    requestSent() {
      isUploading = false
    },
    watchResponse(limit, listener) {
      isUploading = false
      timer.start(limit, listener)
    },
    release() {
      paused = false
      timer.stop()
    },
  }

  socket.read = (size?: number) => {
    // Node's own `read(0)` reads more data, or ends the stream.
    if (size === 0) return paused && !ended ? null : read(0)
    if (paused) return null
    return read(size)
  }
  socket.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (chunk === null) {
      ended = true
      cut = socket instanceof TLSSocket && !isClosedByPeer(socket)
    }
    return push(chunk, encoding) && !paused
  }
  socket.on('error', () => {
    broken = true
  })
  // A reset that is read together with the last bytes appears as an end. Then the socket has no peer any longer.
  socket.on('end', () => {
    broken ||= cut || socket.remoteAddress === undefined
  })
  socket.on('close', () => {
    broken ||= !socket.readableEnded
  })
  return self

  function readOn(): void {
    if (!paused && !socket.destroyed) socket.emit('readable')
  }
}
