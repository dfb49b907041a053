import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { getSystemErrorName } from 'node:util'

import { inactivityTimer } from './inactivity.ts'
import type { InactivityListener } from './inactivity.ts'

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

/** The members of Node's handles that are used. */
interface Handle {
  readonly reading?: boolean
  /** The bytes that the kernel has not taken. */
  readonly writeQueueSize?: number
  /** The bytes that the kernel has been given, with those that it has not taken. */
  readonly bytesWritten?: number
  readonly readStart?: () => number
  readonly readStop?: () => number
  /** The TCP connection beneath TLS. */
  readonly _parent?: Handle
}

function handleOf(socket: Socket): Handle | null {
  const { _handle: handle } = socket as unknown as { readonly _handle: Handle | null }
  return handle
}

/**
 * Whether the kernel has not taken all bytes. Node's own count is too late over TLS: it includes a write until the next
 * turn of the event loop, when a fast server has already responded.
 */
function hasUnsentBytes(socket: Socket): boolean {
  return (tcpHandleOf(socket)?.writeQueueSize ?? 0) > 0
}

/** The bytes that the kernel has taken. Node counts a write at once, even if it takes minutes. */
function sentBytes(socket: Socket): number {
  const { bytesWritten = 0, writeQueueSize = 0 } = tcpHandleOf(socket) ?? {}
  return bytesWritten - writeQueueSize
}

function tcpHandleOf(socket: Socket): Handle | null {
  const handle = handleOf(socket)
  return handle?.['_parent'] ?? handle
}

/**
 * Whether the current end is the server's `close_notify`, which nobody in the network can forge, and not the end of the
 * TCP connection. Node reports both in the same way, but only the former arrives while the TCP connection is still
 * being read, or while reading is stopped. Without a handle the result is `false`.
 */
function isClosedByPeer(socket: TLSSocket): boolean {
  const handle = handleOf(socket)
  if (handle?.reading === false) return true
  const beneath = handle?.['_parent']
  const started = beneath?.readStart?.()
  if (started === 0) beneath?.readStop?.()
  // libuv's error code if reading has already started.
  return started !== undefined && started < 0 && getSystemErrorName(started) === 'EALREADY'
}
