import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { getSystemErrorName } from 'node:util'

/** A connection whose reading can be paused without undici's parser knowing. */
export interface PausableSocket {
  /** Whether the connection ended in a way that cannot be told from a cut: no response ends with it. */
  readonly broken: boolean
  readonly pause: () => void
  readonly resume: () => void
  /** Calls `onIdle` when nothing has arrived for `idle` milliseconds (0: never); a pause does not count. */
  readonly watch: (idle: number, onIdle: () => void) => void
  /** The response is over: nothing is watched, and a pause ends. */
  readonly release: () => void
}

/**
 * Makes a socket pausable. Call this before undici adds its listeners.
 *
 * While paused, `read` gives nothing and `push` stops the kernel's bytes, so that neither an end nor a reset overtakes
 * what has arrived. undici has then parsed all that it was given, which is the one state in which it handles an end
 * correctly.
 */
export function pausable(socket: Socket): PausableSocket {
  const read = socket.read.bind(socket)
  const push = socket.push.bind(socket)
  let paused = false
  let ended = false
  let cut = false
  let broken = false
  let idleCallback: (() => void) | undefined

  const self: PausableSocket = {
    get broken() {
      return broken
    },
    pause() {
      paused = true
    },
    resume() {
      if (!paused) return
      paused = false
      socket.setTimeout(socket.timeout ?? 0)
      // Not at once: a parser may be at work, and it must not be entered twice.
      process.nextTick(readOn)
    },
    watch(idle, onIdle) {
      idleCallback = onIdle
      if (socket.timeout !== idle) socket.setTimeout(idle)
    },
    release() {
      paused = false
      idleCallback = undefined
    },
  }

  socket.read = (size?: number) => {
    // Node's own `read(0)` fetches more, or ends the stream.
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
  socket.on('timeout', () => {
    if (!paused) idleCallback?.()
  })
  socket.on('error', () => {
    broken = true
  })
  // A reset that is read in one go with the last bytes comes as an end; then there is no other side any more.
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

/** What of Node's handles is used. */
interface Handle {
  readonly reading?: boolean
  readonly _parent?: { readonly readStart?: () => number; readonly readStop?: () => number }
}

/**
 * Whether the end that arrives now is the other side's `close_notify`, which nobody on the way can forge, and not the
 * end of the TCP connection beneath. Node reports both alike; but only the former comes while the connection beneath
 * is still being read, or while reading is stopped. Without a handle to ask, the answer is no.
 */
function isClosedByPeer(socket: TLSSocket): boolean {
  const { _handle: handle } = socket as unknown as { readonly _handle: Handle | null }
  if (handle?.reading === false) return true
  const { _parent: beneath }: Handle = handle ?? {}
  const started = beneath?.readStart?.()
  if (started === 0) beneath?.readStop?.()
  // What libuv says when reading is to start that has started already.
  return started !== undefined && started < 0 && getSystemErrorName(started) === 'EALREADY'
}
