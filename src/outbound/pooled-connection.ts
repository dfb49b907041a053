import type { Socket } from 'node:net'

import { Client } from 'undici'
import type { buildConnector } from 'undici'

import { announcedLifetime } from './idle-lifetime.ts'
import type { IdleLifetime, IdleLifetimes } from './idle-lifetime.ts'
import { optimizingParserLater } from './parser-optimization.ts'
import { PausableSocket } from './pausable-socket.ts'
import type { CarryingConnection } from './pausing.ts'

/** How a request got its connection: opened for it, opened in advance, or used before. */
export type ConnectionUse = 'new' | 'reserve' | 'reused'

/** What a connection needs from its pool and reports to it. */
export interface PoolOfConnection {
  readonly destination: buildConnector.Options
  readonly connect: buildConnector.connector
  readonly clientOptions: Client.Options
  readonly lifetimes: IdleLifetimes
  readonly onSend: (use: ConnectionUse) => void
  /** A connection was opened, or could not be. */
  readonly onOpened: (connection: PooledConnection, succeeded: boolean) => void
  /** The connection can carry a request. */
  readonly onFree: (connection: PooledConnection) => void
  readonly onClosed: (connection: PooledConnection) => void
}

/**
 * The state of a request: `waiting` until the connection is open or checked, `sent`, `answered` with a head, `complete`
 * while undici releases the connection, or `failed`. If the connection must carry no other request, it is `last` and then
 * `ended` instead of `answered` and `complete`.
 */
type Phase = 'idle' | 'waiting' | 'sent' | 'answered' | 'complete' | 'last' | 'ended' | 'failed'

/**
 * A server may send this when a connection has been idle for too long, and still answer the request that crossed it. On
 * the same connection, that response would go to the next request. See docs/decisions/unsolicited-responses.md.
 */
const REQUEST_TIMEOUT = 408

const BREAKS = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])
/** undici closed the connection: it was idle for too long, or the request or the response demanded it. */
const CLOSED_BY_UNDICI = 'UND_ERR_INFO'

/** One connection with its undici client. The client opens it for a request, or uses one that is already open. */
export class PooledConnection implements CarryingConnection {
  socket: PausableSocket | undefined
  /** The earliest time since which the connection may be idle, by `performance.now()`. */
  idleSince = performance.now()
  readonly client: Client
  readonly #pool: PoolOfConnection
  #phase: Phase = 'idle'
  #isUsed = false
  #isOpening = false
  /** The socket that was opened last. */
  #opened: Socket | undefined
  /** Whether undici uses that socket. */
  #isConnected = false
  /** The open socket, before undici uses it. */
  #ready: Socket | undefined
  #whenOpen: buildConnector.Callback | undefined
  #use: ConnectionUse = 'new'
  /** When the last response was complete. It is later than `idleSince` if the response was read slowly. */
  #completed = this.idleSince
  /** The idle time before the current request. */
  #idleFor = 0
  /** Whether the current request may be sent again although it was written. */
  #isIdempotent = false

  constructor(pool: PoolOfConnection) {
    this.#pool = pool
    this.client = new Client(new URL(`${pool.destination.protocol}//${pool.destination.host}`), {
      ...pool.clientOptions,
      connect: (options, onConnect) => this.#give(options, optimizingParserLater(onConnect)),
    })
    this.client
      .on('connect', () => (this.#isConnected = true))
      .on('drain', () => this.#onDrain())
      .on('disconnect', (_origin, _targets, error) => this.#onDisconnect(error))
      .on('connectionError', () => {
        if (this.client.stats.size === 0) pool.onClosed(this)
      })
  }

  /** Whether it was opened in advance and has not been used. */
  get isUnused(): boolean {
    return !this.#isUsed
  }

  get isOpen(): boolean {
    return this.#ready !== undefined || this.#hasOpenSocket()
  }

  /**
   * Whether undici has an open socket. undici's own `stats` would create an object of six values for each request. It
   * is not a getter, because V8 calls its runtime for a private one.
   */
  #hasOpenSocket(): boolean {
    return this.#isConnected && this.#opened?.destroyed === false
  }

  get isIdle(): boolean {
    return this.#phase === 'idle'
  }

  get lifetime(): IdleLifetime {
    return this.#isUsed ? this.#pool.lifetimes.used : this.#pool.lifetimes.unused
  }

  get isOpening(): boolean {
    return this.#isOpening
  }

  /** Opens the connection in advance. */
  openAhead(): void {
    this.#isOpening = true
    this.#pool.connect(this.#pool.destination, (error, socket) => {
      this.#isOpening = false
      if (socket) this.#onOpened(socket)
      const waiting = this.#whenOpen
      if (waiting !== undefined) {
        this.#pool.onOpened(this, !error)
        return error ? waiting(error, null) : waiting(null, socket!)
      }
      if (socket && !this.client.destroyed) this.#await(socket)
      else socket?.destroy()
      this.#pool.onOpened(this, !error)
    })
  }

  /** Assigns it to the request that is dispatched next. */
  take(now: number, isIdempotent: boolean): void {
    this.#phase = 'waiting'
    this.#isIdempotent = isIdempotent
    this.#idleFor = now - this.#completed
    this.#use = this.#isUsed ? 'reused' : this.#ready === undefined ? 'new' : 'reserve'
  }

  onSend(): void {
    this.#phase = 'sent'
    this.#pool.onSend(this.#use)
  }

  onResponse(status: number, headers: readonly Buffer[]): void {
    const timedOut = status === REQUEST_TIMEOUT
    // A response to a request that is still being sent may be an unsolicited one that crossed it.
    this.#phase = timedOut || this.socket?.sending === true ? 'last' : 'answered'
    if (this.#use !== 'new') {
      if (timedOut) this.lifetime.broke(this.#idleFor)
      else this.lifetime.answered(this.#idleFor)
    }
    this.#isUsed = true
    const announced = announcedLifetime(headers)
    if (announced !== undefined) this.#pool.lifetimes.used.announced(announced)
  }

  onComplete(now: number, quietSince: number): void {
    this.#phase = this.#phase === 'last' ? 'ended' : 'complete'
    this.idleSince = quietSince
    this.#completed = now
  }

  onFailure(error: Error): boolean {
    const isStale = this.#use !== 'new' && BREAKS.has((error as NodeJS.ErrnoException).code ?? '')
    // After a close undici opens another connection for the request, but not after a reset.
    const isUnsent = isStale && this.#phase === 'waiting'
    const isUnanswered = isStale && this.#phase === 'sent'
    if (isUnsent) this.lifetime.closed(this.#idleFor)
    else if (isUnanswered) this.lifetime.broke(this.#idleFor)
    this.#phase = 'failed'
    return isUnsent || (isUnanswered && this.#isIdempotent)
  }

  /** The dispatched request failed at once, without using the connection. */
  settle(): void {
    if (this.#phase !== 'failed') return
    if (this.isOpen || this.#isOpening) this.#free()
    else this.#pool.onClosed(this)
  }

  destroy(): Promise<unknown> {
    this.#ready?.destroy()
    return this.client.destroy()
  }

  /** The connect function of undici's client. */
  #give(options: buildConnector.Options, callback: buildConnector.Callback): void {
    const ready = this.#ready
    if (this.#isOpening) {
      this.#whenOpen = callback
    } else if (ready === undefined) {
      this.#open(options, callback)
    } else {
      // Data that has already arrived is read first, in particular the end of the connection.
      setImmediate(() => {
        this.#ready = undefined
        if (ready.destroyed) {
          this.#pool.lifetimes.unused.closed(this.#idleFor)
          return this.#open(options, callback)
        }
        ready.off('readable', destroyIfSpoken).off('end', ready.destroy).off('close', this.#onReadyClosed).ref()
        callback(null, ready)
      })
    }
  }

  #open(options: buildConnector.Options, callback: buildConnector.Callback): void {
    this.#isUsed = false
    this.#use = 'new'
    this.#pool.connect(options, (...outcome) => {
      const [, socket] = outcome
      // undici's own connector passes no second argument with an error, although its types require one.
      if (socket) this.#onOpened(socket)
      this.#pool.onOpened(this, Boolean(socket))
      callback(...outcome)
    })
  }

  #onOpened(socket: Socket): void {
    this.#opened = socket
    this.socket = new PausableSocket(socket)
    this.idleSince = this.#completed = performance.now()
  }

  /** Keeps an open connection for the next request, and detects its end. */
  #await(socket: Socket): void {
    this.#ready = socket
    socket.on('readable', destroyIfSpoken).on('end', socket.destroy).on('close', this.#onReadyClosed).unref()
  }

  readonly #onReadyClosed = (): void => {
    if (this.#phase !== 'idle') return
    this.#pool.lifetimes.unused.closed(performance.now() - this.idleSince)
    this.#pool.onClosed(this)
  }

  #onDrain(): void {
    if (this.#phase === 'ended') void this.client.destroy()
    else if ((this.#phase === 'complete' || this.#phase === 'failed') && this.#hasOpenSocket()) this.#free()
  }

  #free(): void {
    this.#phase = 'idle'
    this.#pool.onFree(this)
  }

  #onDisconnect({ code }: NodeJS.ErrnoException): void {
    this.#isConnected = false
    const isFarEnds = code !== CLOSED_BY_UNDICI
    if (this.#phase === 'waiting') {
      // undici detected the end before it wrote, and opens another connection for the request.
      if (isFarEnds) this.lifetime.closed(this.#idleFor)
      return
    }
    const wasIdle = this.#phase === 'idle' || this.#phase === 'complete'
    if (wasIdle && isFarEnds) this.lifetime.closed(performance.now() - this.#completed)
    this.#pool.onClosed(this)
  }
}

/** Data on a connection without a request is not a response. */
function destroyIfSpoken(this: Socket): void {
  if (this.read() !== null) this.destroy()
}
