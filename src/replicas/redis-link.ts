import { REDIS_TIMEOUT, redisErrorCode, redisFix } from '../explanations/redis-errors.ts'
import type { Logger } from '../logging/logger.ts'
import type { RedisClient } from './redis-client.ts'

/** A connection to Redis that may be lost and is opened again. */
export interface RedisLink {
  /**
   * Runs `commands` if Redis is connected. A failure of any of them ends the connection.
   *
   * @returns `otherwise` without a connection, after a failure, or when a command takes too long
   */
  readonly run: <T>(commands: Commands<T>, otherwise: T, limit?: number) => Promise<T>
  /** Why there is no connection, as an error code; `undefined` while there is one. */
  readonly disconnectedReason: () => string | undefined
  readonly close: () => void
}

/** Commands to Redis, and their result. */
export type Commands<T> = (send: RedisClient['sendCommand']) => Promise<T>

interface LinkOptions {
  /** Creates a client without connecting it. */
  readonly createClient: (broken: (error: unknown) => void) => Promise<RedisClient>
  /** Subscribes to messages, and checks that Redis accepts writes. */
  readonly prepare: (client: RedisClient) => Promise<void>
  /** Called when the connection is ready. */
  readonly onConnected: () => void
  readonly log: Pick<Logger, 'info' | 'warn'>
  readonly times?: LinkTimes
}

/** All in milliseconds. */
export interface LinkTimes {
  /** The longest wait of a request for Redis. */
  readonly command: number
  /** The longest time to connect, with TLS and the password. No request waits for it. */
  readonly connect: number
  /** The time between a failure and the next attempt to connect. */
  readonly retry: number
  /** The same after a timeout. It is longer, because each timeout may delay a request. */
  readonly retryAfterTimeout: number
  /** A connection that is lost before this time counts as another failure, so that the next attempt comes later. */
  readonly stable: number
}

export const LINK_TIMES: LinkTimes = {
  command: 50,
  connect: 2000,
  retry: 2000,
  retryAfterTimeout: 10_000,
  stable: 30_000,
}

const MAX_RETRY_MS = 20_000

/** Connects in the background, now and after each loss of the connection, until it is closed. */
export function openRedisLink({ createClient, prepare, onConnected, log, times = LINK_TIMES }: LinkOptions): RedisLink {
  let client: RedisClient | undefined
  let disconnectedReason: string | undefined = 'CONNECTING'
  let connectedAt = 0
  let failures = 0
  let ended = false
  let timer: NodeJS.Timeout | undefined
  void connect()

  return {
    async run(commands, otherwise, limit = times.command) {
      const running = client
      if (running === undefined) return otherwise
      try {
        return await withTimeout(
          commands(<R>(words: readonly string[]) => running.sendCommand<R>(words)),
          limit,
        )
      } catch (error) {
        disconnect(running, error)
        return otherwise
      }
    },
    disconnectedReason: () => disconnectedReason,
    close() {
      ended = true
      clearTimeout(timer)
      client?.destroy()
      client = undefined
    },
  }

  async function connect(): Promise<void> {
    let candidate: RedisClient | undefined
    try {
      candidate = await createClient((error) => disconnect(candidate, error))
      await withTimeout(candidate.connect(), times.connect)
      await withTimeout(prepare(candidate), times.connect)
      await withTimeout(candidate.sendCommand(['TIME']), times.command)
    } catch (error) {
      candidate?.destroy()
      return scheduleRetry(error)
    }
    if (ended) return candidate.destroy()
    client = candidate
    disconnectedReason = undefined
    connectedAt = performance.now()
    log.info({}, 'connected to Redis: replicas share throttling, users and create records')
    onConnected()
  }

  /** Ends the connection at once, so that no other request waits for it. */
  function disconnect(lost: RedisClient | undefined, error: unknown): void {
    if (lost === undefined || lost !== client) return
    client = undefined
    lost.destroy()
    if (performance.now() - connectedAt > times.stable) failures = 0
    scheduleRetry(error)
  }

  function scheduleRetry(error: unknown): void {
    if (ended) return
    const code = redisErrorCode(error)
    if (disconnectedReason === undefined || disconnectedReason === 'CONNECTING') {
      log.warn({ code, fix: redisFix(code) }, 'Redis cannot be used: this replica works alone until Redis is back')
    }
    const base = disconnectedReason === undefined && code === REDIS_TIMEOUT ? times.retryAfterTimeout : times.retry
    // Before the first connection, failed attempts delay no request.
    if (disconnectedReason === undefined) failures++
    const delay = Math.max(base, Math.min(times.retry * 2 ** (failures - 1), MAX_RETRY_MS))
    disconnectedReason = code
    timer = setTimeout(() => void connect(), delay).unref()
  }
}

const TIMED_OUT = Object.assign(new Error('no response in time'), { code: REDIS_TIMEOUT })

/** Waits for `limit` milliseconds, and then until responses that have already arrived are read. */
export function withTimeout<T>(work: Promise<T>, limit: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(TIMED_OUT)), limit)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
