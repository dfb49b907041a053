import { randomBytes, randomUUID } from 'node:crypto'

import type { Target } from '../config/schema.ts'
import type { RedisSettings } from '../config/settings/redis.ts'
import { sharedSecretOf } from '../config/shared-secret.ts'
import type { Logger } from '../logging/logger.ts'
import { createRedisClient } from './redis-client.ts'
import type { RedisClient } from './redis-client.ts'
import { inTime, LINK_TIMES, openRedisLink } from './redis-link.ts'
import type { LinkTimes } from './redis-link.ts'
import { addressed, CHANNEL, createShare, PREFIX } from './redis-share.ts'
import type { Share } from './redis-share.ts'
import { countReplicas } from './replica-count.ts'
import { scopeOf } from './scope.ts'
import { createSeal } from './seal.ts'
import type { Seal } from './seal.ts'
import type { Replicas } from './shared-state.ts'

/** How often a replica says that it lives, in milliseconds. Nothing waits for that. */
const HEARTBEAT_MS = 5000
/** Heartbeats that a living replica may miss. */
const MISSED_HEARTBEATS = 3
const HEARTBEAT_TIMEOUT_MS = 1000

const KEY_BYTES = 32
/** Keys of a probe expire after this many milliseconds. */
const PROBE_MS = 1000

/**
 * Replicas that meet at a Redis. Without it each works alone: no request waits for it for longer than 50 ms, and none
 * fails.
 *
 * @param times for tests
 */
export function redisReplicas(
  settings: RedisSettings,
  log: Pick<Logger, 'info' | 'warn'>,
  times?: LinkTimes & { readonly heartbeat: number },
): Replicas {
  const self = randomUUID()
  const interval = times?.heartbeat ?? HEARTBEAT_MS
  const shares = new Map<Share, SealSource>()
  const living = countReplicas(self, replicasKey, MISSED_HEARTBEATS * interval)
  const link = openRedisLink({
    open: (broken) => createRedisClient(settings, broken),
    join: (client) => join(client, self, receive),
    joined() {
      void beat()
      for (const share of shares.keys()) share.catchUp()
    },
    log,
    ...(times === undefined ? {} : { times }),
  })
  const heartbeat = setInterval(() => void beat(), interval).unref()

  return {
    of(target) {
      const source = sealSource(target, settings)
      const share = createShare(link, source.seal)
      shares.set(share, source)
      if (link.alone() === undefined) void beat()
      return {
        ...share.state,
        status: () => ({ alone: link.alone(), replicas: living.of(source.seal().id) }),
        close: () => void shares.delete(share),
      }
    },
    async close() {
      clearInterval(heartbeat)
      await link.run(living.leave(scopes()), undefined)
      link.close()
    },
  }

  function receive(message: string): void {
    const { scope, sealed } = addressed(message)
    for (const [share, { seal }] of shares) if (seal().id === scope) share.receive(sealed)
  }

  async function beat(): Promise<void> {
    for (const { refresh } of shares.values()) refresh()
    await link.run(living.beat(scopes()), undefined, HEARTBEAT_TIMEOUT_MS)
    for (const [share, { seal }] of shares) share.count(living.of(seal().id))
  }

  function scopes(): string[] {
    return [...new Set([...shares.values()].map(({ seal }) => seal().id))]
  }
}

/**
 * Connects once, and does all that replicas do there.
 *
 * @throws what keeps replicas from using Redis
 */
export async function tryRedis(settings: RedisSettings): Promise<void> {
  const client = await createRedisClient(settings, () => undefined)
  try {
    await inTime(client.connect(), LINK_TIMES.connect)
    await inTime(
      join(client, randomUUID(), () => undefined),
      LINK_TIMES.connect,
    )
    await inTime(client.sendCommand(['TIME']), LINK_TIMES.command)
  } finally {
    client.destroy()
  }
}

/** Subscribes, and sends each command once that replicas use: a user without the right to one is found at once. */
async function join(client: RedisClient, self: string, receive: (message: string) => void): Promise<void> {
  const probe = `${PREFIX}probe:${self}`
  await client.subscribe(CHANNEL, receive)
  await client.sendCommand(['SET', probe, '', 'PX', String(PROBE_MS)])
  await client.sendCommand(['GET', probe])
  await client.sendCommand(['PTTL', probe])
  await client.sendCommand(['PUBLISH', CHANNEL, ''])
  const { beat, leave } = countReplicas(self, replicasKey, PROBE_MS)
  await beat(['probe'])(client.sendCommand.bind(client))
  await leave(['probe'])(client.sendCommand.bind(client))
}

function replicasKey(scope: string): string {
  return `${PREFIX}replicas:${scope}`
}

/** The seal of a target, which changes with the secret that it comes from. */
interface SealSource {
  readonly seal: () => Seal
  /** Reads the secret again. */
  readonly refresh: () => void
}

function sealSource(target: Target, { encryptionKey }: RedisSettings): SealSource {
  const scope = scopeOf(target)
  const reveal = encryptionKey?.reveal ?? sharedSecretOf(target.credential)
  // Without a secret that others know, it shares with nobody.
  let secret = attempt(reveal) ?? randomBytes(KEY_BYTES)
  let seal = createSeal(secret, scope)
  return {
    seal: () => seal,
    refresh() {
      const next = attempt(reveal)
      if (next === undefined || String(next) === String(secret)) return
      secret = next
      seal = createSeal(secret, scope)
    },
  }
}

/** A file that is being replaced leaves the secret as it is. */
function attempt<T>(read: (() => T) | undefined): T | undefined {
  try {
    return read?.()
  } catch {
    return undefined
  }
}
