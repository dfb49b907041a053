import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'

import { redisAddress } from '../config/redis-address.ts'
import type { RedisSettings } from '../config/settings/redis.ts'

/** One connection to Redis. It is never reconnected. */
export interface RedisClient {
  readonly connect: () => Promise<unknown>
  readonly sendCommand: <T>(words: readonly string[]) => Promise<T>
  readonly subscribe: (channel: string, listener: (message: string) => void) => Promise<unknown>
  readonly destroy: () => void
}

/** The longest wait for a connection, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2000

/**
 * Makes a client from the current settings and secret files. Only this function loads the Redis library.
 *
 * @param onBroken is called when the connection breaks
 */
export async function createRedisClient(
  settings: RedisSettings,
  onBroken: (error: unknown) => void,
): Promise<RedisClient> {
  // In the bundle, a CommonJS package has its names only in the default export.
  const { default: library } = await import('@redis/client')
  const { host, port, tls, username, password, database } = redisAddress(settings.url.reveal())
  const client = library.createClient({
    socket: {
      host,
      port,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectStrategy: false,
      ...(tls
        ? {
            tls: true as const,
            ...(isIP(host) === 0 ? { servername: host } : {}),
            ...(settings.ca === undefined ? {} : { ca: readFileSync(settings.ca) }),
          }
        : {}),
    },
    ...optionalMember('username', username),
    ...optionalMember('password', settings.password?.reveal() ?? password),
    database,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    disableClientInfo: true,
  })
  client.on('error', onBroken)
  return client as unknown as RedisClient
}

function optionalMember<K extends string>(name: K, value: string | undefined): { [P in K]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { [P in K]?: string }
}
