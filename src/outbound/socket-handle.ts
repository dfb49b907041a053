import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { getSystemErrorName } from 'node:util'

// What only Node's handle of a connection knows. Its members are not documented.

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
export function hasUnsentBytes(socket: Socket): boolean {
  return (tcpHandleOf(socket)?.writeQueueSize ?? 0) > 0
}

/** The bytes that the kernel has taken. Node counts a write at once, even if it takes minutes. */
export function sentBytes(socket: Socket): number {
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
export function isClosedByPeer(socket: TLSSocket): boolean {
  const handle = handleOf(socket)
  if (handle?.reading === false) return true
  const beneath = handle?.['_parent']
  const started = beneath?.readStart?.()
  if (started === 0) beneath?.readStop?.()
  // libuv's error code if reading has already started.
  return started !== undefined && started < 0 && getSystemErrorName(started) === 'EALREADY'
}
