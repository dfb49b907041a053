import { randomBytes, randomUUID } from 'node:crypto'

import type { Target } from '../config/schema.ts'
import type { RedisSettings } from '../config/settings/redis.ts'
import { sharedSecretOf } from '../config/shared-secret.ts'
import type { Logger } from '../logging/logger.ts'
import { createRedisClient } from './redis-client.ts'
import type { RedisClient } from './redis-client.ts'
import { withTimeout, LINK_TIMES, openRedisLink } from './redis-link.ts'
import type { LinkTimes } from './redis-link.ts'
import { parseMessage, CHANNEL, createRedisState, PREFIX } from './redis-state.ts'
import type { RedisState } from './redis-state.ts'
import { countReplicas } from './replica-count.ts'
import { scopeOf } from './scope.ts'
import { createSeal } from './seal.ts'
import type { Seal } from './seal.ts'
import type { Replicas } from './shared-state.ts'

/** The time between heartbeats of a replica, in milliseconds. No request waits for them. */
const HEARTBEAT_MS = 5000
/** The heartbeats that a replica may miss before it counts as gone. */
const MISSED_HEARTBEATS = 3
const HEARTBEAT_TIMEOUT_MS = 1000

/** The times of the connection, and the time between heartbeats. All in milliseconds. */
export interface ReplicaTimes extends LinkTimes {
  readonly heartbeat: number
}

const KEY_BYTES = 32
/** Keys of a probe expire after this many milliseconds. */
const PROBE_MS = 1000

/**
 * Replicas that share state through Redis. If Redis is unavailable, each replica works alone: no request waits longer
 * than 50 ms for it, and none fails.
 *
 * @param times for tests
 */
export function redisReplicas(
  settings: RedisSettings,
  log: Pick<Logger, 'info' | 'warn'>,
  times?: ReplicaTimes,
): Replicas {
  const self = randomUUID()
  const interval = times?.heartbeat ?? HEARTBEAT_MS
  const states = new Map<RedisState, SealSource>()
  const replicaCounts = countReplicas(self, replicasKey, MISSED_HEARTBEATS * interval)
  const link = openRedisLink({
    createClient: (broken) => createRedisClient(settings, broken),
    prepare: (client) => prepareClient(client, self, receive),
    onConnected() {
      void sendHeartbeat()
      for (const share of states.keys()) share.catchUp()
    },
    log,
    ...(times === undefined ? {} : { times }),
  })
  const heartbeat = setInterval(() => void sendHeartbeat(), interval).unref()

  return {
    of(target) {
      const source = sealSource(target, settings)
      const share = createRedisState(link, source.seal)
      states.set(share, source)
      if (link.disconnectedReason() === undefined) void sendHeartbeat()
      return {
        ...share.state,
        status: () => ({ disconnectedReason: link.disconnectedReason(), replicas: replicaCounts.of(source.seal().id) }),
        close: () => void states.delete(share),
      }
    },
    async close() {
      clearInterval(heartbeat)
      await link.run(replicaCounts.leave(scopes()), undefined)
      link.close()
    },
  }

  function receive(message: string): void {
    const { scope, sealed } = parseMessage(message)
    for (const [share, { seal }] of states) if (seal().id === scope) share.receive(sealed)
  }

  async function sendHeartbeat(): Promise<void> {
    for (const { refresh } of states.values()) refresh()
    await link.run(replicaCounts.heartbeat(scopes()), undefined, HEARTBEAT_TIMEOUT_MS)
    for (const [share, { seal }] of states) share.setReplicas(replicaCounts.of(seal().id))
  }

  function scopes(): string[] {
    return [...new Set([...states.values()].map(({ seal }) => seal().id))]
  }
}

/**
 * Connects once, and runs every command that replicas use.
 *
 * @throws the error that prevents replicas from using Redis
 */
export async function tryRedis(settings: RedisSettings): Promise<void> {
  const client = await createRedisClient(settings, () => undefined)
  try {
    await withTimeout(client.connect(), LINK_TIMES.connect)
    await withTimeout(
      prepareClient(client, randomUUID(), () => undefined),
      LINK_TIMES.connect,
    )
    await withTimeout(client.sendCommand(['TIME']), LINK_TIMES.command)
  } finally {
    client.destroy()
  }
}

/**
 * Subscribes, and sends each command that replicas use once, so that a missing right of the Redis user is found now.
 */
async function prepareClient(client: RedisClient, self: string, receive: (message: string) => void): Promise<void> {
  const probe = `${PREFIX}probe:${self}`
  await client.subscribe(CHANNEL, receive)
  await client.sendCommand(['SET', probe, '', 'PX', String(PROBE_MS)])
  await client.sendCommand(['GET', probe])
  await client.sendCommand(['PTTL', probe])
  await client.sendCommand(['PUBLISH', CHANNEL, ''])
  const { heartbeat: beat, leave } = countReplicas(self, replicasKey, PROBE_MS)
  await beat(['probe'])(client.sendCommand.bind(client))
  await leave(['probe'])(client.sendCommand.bind(client))
}

function replicasKey(scope: string): string {
  return `${PREFIX}replicas:${scope}`
}

/** The seal of a target. It changes when its secret changes. */
interface SealSource {
  readonly seal: () => Seal
  /** Reads the secret again. */
  readonly refresh: () => void
}

function sealSource(target: Target, { encryptionKey }: RedisSettings): SealSource {
  const scope = scopeOf(target)
  const reveal = encryptionKey?.reveal ?? sharedSecretOf(target.credential)
  // Without a shared secret the replica shares nothing.
  let secret = valueOrUndefined(reveal) ?? randomBytes(KEY_BYTES)
  let seal = createSeal(secret, scope)
  return {
    seal: () => seal,
    refresh() {
      const next = valueOrUndefined(reveal)
      if (next === undefined || String(next) === String(secret)) return
      secret = next
      seal = createSeal(secret, scope)
    },
  }
}

/** The result of `read`; `undefined` if it fails, such as for a file that is being replaced. */
function valueOrUndefined<T>(read: (() => T) | undefined): T | undefined {
  try {
    return read?.()
  } catch {
    return undefined
  }
}
