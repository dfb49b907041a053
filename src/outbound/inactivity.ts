import type { Socket } from 'node:net'

/** Is called when a server has become silent. */
export interface InactivityListener {
  readonly onInactive: () => void
}

/** Notices that a server has become silent. */
export interface InactivityTimer {
  /**
   * Calls `listener` once, when nothing has been sent or received for about `limit` milliseconds (0: never).
   * Replaces the previous limit.
   */
  readonly start: (limit: number, listener: InactivityListener) => void
  readonly stop: () => void
}

/** How often a connection is looked at within its limit, and the time between two looks at most and at least. */
const LOOKS_PER_LIMIT = 10
const MAX_TICK_MS = 500
const MIN_TICK_MS = 10

/** The timers of all open connections. */
const timers = new Set<SocketTimer>()
let tick: NodeJS.Timeout | undefined
let tickMs = Infinity
let tickStarted = 0
/** The time since the last look and before the current tick, in milliseconds. A tick that is brought forward adds to it. */
let earlierMs = 0

/**
 * Makes the timer of a connection. One real timer looks at all connections a few times within their limits, because
 * creating or restarting a timer for each request costs as much as 2 % of the request.
 *
 * @param isExempt whether the silence is not the server's at this moment
 * @param sentBytes the bytes that the kernel has taken. `socket.bytesWritten` includes those that still wait
 */
export function inactivityTimer(socket: Socket, isExempt: () => boolean, sentBytes: () => number): InactivityTimer {
  const timer = new SocketTimer(socket, isExempt, sentBytes)
  timers.add(timer)
  socket.once('close', () => {
    timer.stop()
    timers.delete(timer)
  })
  return timer
}

class SocketTimer implements InactivityTimer {
  /** 0: stopped. */
  limit = 0
  readonly #socket: Socket
  readonly #isExempt: () => boolean
  readonly #sentBytes: () => number
  #listener: InactivityListener | undefined
  #silentMs = 0
  /** Bytes in both directions at the last look; `NaN` before the first one. */
  #bytes = NaN

  constructor(socket: Socket, isExempt: () => boolean, sentBytes: () => number) {
    this.#socket = socket
    this.#isExempt = isExempt
    this.#sentBytes = sentBytes
  }

  start(limit: number, listener: InactivityListener): void {
    this.limit = limit
    this.#listener = listener
    this.#bytes = NaN
    if (limit > 0) lookWithin(limit)
  }

  stop(): void {
    this.limit = 0
    this.#listener = undefined
  }

  /** Counts the time since the last look, if nothing has happened in it. */
  look(elapsedMs: number): void {
    if (this.limit === 0) return
    const bytes = this.#socket.bytesRead + this.#sentBytes()
    if (bytes !== this.#bytes || this.#isExempt()) {
      this.#bytes = bytes
      this.#silentMs = 0
      return
    }
    this.#silentMs += elapsedMs
    if (this.#silentMs < this.limit) return
    const listener = this.#listener
    this.stop()
    listener?.onInactive()
  }
}

function lookWithin(limit: number): void {
  const wanted = Math.min(Math.max(limit / LOOKS_PER_LIMIT, MIN_TICK_MS), MAX_TICK_MS)
  if (wanted >= tickMs) return
  const now = performance.now()
  if (tickMs < Infinity) earlierMs += Math.min(now - tickStarted, tickMs)
  clearTimeout(tick)
  tickMs = wanted
  tickStarted = now
  tick = setTimeout(lookAtAll, wanted).unref()
}

/** A late look counts as one in time: when the event loop is blocked, the data of a server may be waiting. */
function lookAtAll(): void {
  const elapsedMs = earlierMs + tickMs
  earlierMs = 0
  tickMs = Infinity
  for (const timer of timers) timer.look(elapsedMs)
  let shortest = Infinity
  for (const { limit } of timers) if (limit > 0) shortest = Math.min(shortest, limit)
  if (shortest < Infinity) lookWithin(shortest)
}
