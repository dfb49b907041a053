import { REDIS_TIMEOUT, redisErrorCode, redisFix } from '../explanations/redis-errors.ts'
import type { Logger } from '../logging/logger.ts'
import type { RedisClient } from './redis-client.ts'

/** The connection to Redis, which may be there or not. */
export interface RedisLink {
  /**
   * Runs `commands` where Redis is connected. A failure of any of them ends the connection.
   *
   * @returns `otherwise` where there is no connection, or it failed or took too long
   */
  readonly run: <T>(commands: Commands<T>, otherwise: T, limit?: number) => Promise<T>
  /** Why there is no connection; `undefined` while there is one. */
  readonly alone: () => string | undefined
  readonly close: () => void
}

/** Commands to Redis, and what they bring. */
export type Commands<T> = (send: RedisClient['sendCommand']) => Promise<T>

interface LinkOptions {
  /** Makes a client that is not connected yet. */
  readonly open: (broken: (error: unknown) => void) => Promise<RedisClient>
  /** Subscribes to what this replica listens to, and proves that Redis takes writes. */
  readonly join: (client: RedisClient) => Promise<void>
  /** Is called when replicas can be reached again. */
  readonly joined: () => void
  readonly log: Pick<Logger, 'info' | 'warn'>
  readonly times?: LinkTimes
}

/** All in milliseconds. */
export interface LinkTimes {
  /** A request waits this long for Redis. */
  readonly command: number
  /** Connecting, with TLS and the password, may take this long: no request waits for it. */
  readonly connect: number
  /** After a failure, the next attempt to connect. */
  readonly retry: number
  /** The same where a request may have waited in vain: so that few do. */
  readonly retryAfterTimeout: number
}

export const LINK_TIMES: LinkTimes = { command: 50, connect: 2000, retry: 2000, retryAfterTimeout: 10_000 }

/** A connection that lasts less counts as failed again: the next attempt comes later. */
const STABLE_MS = 30_000
const MAX_RETRY_MS = 20_000

/** Connects in the background, now and whenever the connection was lost, until it is closed. */
export function openRedisLink({ open, join, joined, log, times = LINK_TIMES }: LinkOptions): RedisLink {
  let client: RedisClient | undefined
  let alone: string | undefined = 'CONNECTING'
  let connectedAt = 0
  let failures = 0
  let ended = false
  let timer: NodeJS.Timeout | undefined
  void attempt()

  return {
    async run(commands, otherwise, limit = times.command) {
      const running = client
      if (running === undefined) return otherwise
      try {
        return await inTime(
          commands(<R>(words: readonly string[]) => running.sendCommand<R>(words)),
          limit,
        )
      } catch (error) {
        lose(running, error)
        return otherwise
      }
    },
    alone: () => alone,
    close() {
      ended = true
      clearTimeout(timer)
      client?.destroy()
      client = undefined
    },
  }

  async function attempt(): Promise<void> {
    let candidate: RedisClient | undefined
    try {
      candidate = await open((error) => lose(candidate, error))
      await inTime(candidate.connect(), times.connect)
      await inTime(join(candidate), times.connect)
      await inTime(candidate.sendCommand(['TIME']), times.command)
    } catch (error) {
      candidate?.destroy()
      return failed(error)
    }
    if (ended) return candidate.destroy()
    client = candidate
    alone = undefined
    connectedAt = performance.now()
    log.info({}, 'connected to Redis: replicas share throttling, users and create records')
    joined()
  }

  /** Ends the connection at once, so that nobody else waits for it. */
  function lose(lost: RedisClient | undefined, error: unknown): void {
    if (lost === undefined || lost !== client) return
    client = undefined
    lost.destroy()
    if (performance.now() - connectedAt > STABLE_MS) failures = 0
    failed(error)
  }

  function failed(error: unknown): void {
    if (ended) return
    const code = redisErrorCode(error)
    if (alone === undefined || alone === 'CONNECTING') {
      log.warn({ code, fix: redisFix(code) }, 'Redis cannot be used: this replica works alone until it can')
    }
    const base = alone === undefined && code === REDIS_TIMEOUT ? times.retryAfterTimeout : times.retry
    // While it was never connected, each attempt costs nobody anything.
    if (alone === undefined) failures++
    const delay = Math.max(base, Math.min(times.retry * 2 ** (failures - 1), MAX_RETRY_MS))
    alone = code
    timer = setTimeout(() => void attempt(), delay).unref()
  }
}

const TIMED_OUT = Object.assign(new Error('no answer in time'), { code: REDIS_TIMEOUT })

/** Waits for `limit` milliseconds, and then for responses that have arrived but were not read yet. */
export function inTime<T>(work: Promise<T>, limit: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(TIMED_OUT)), limit)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
