import { createServer } from 'node:net'

import t from 'tap'

import { CHANNEL } from '../../src/replicas/redis-state.ts'
import { redisReplicas } from '../../src/replicas/redis.ts'
import { listenOnFreePort } from '../support/connection-fixture.ts'
import { replicaSettings } from '../support/replica-settings.ts'
import { until } from '../support/until.ts'

const TIMES = { command: 5000, connect: 5000, retry: 60_000, retryAfterTimeout: 60_000, stable: 30_000, heartbeat: 20 }

/** Replies of Redis to the commands of a replica. */
const REPLIES = {
  HELLO: '%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n',
  SUBSCRIBE: `>3\r\n$9\r\nsubscribe\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n:1\r\n`,
  TIME: '*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n',
  GET: '$-1\r\n',
  PTTL: ':-2\r\n',
  ZCARD: ':1\r\n',
}

const CASES: readonly { readonly lie: Partial<typeof REPLIES>; readonly reason?: string }[] = [
  { lie: { GET: ':5\r\n' }, reason: 'INVALID_REPLY' },
  { lie: { GET: '*1\r\n:5\r\n' }, reason: 'INVALID_REPLY' },
  { lie: { PTTL: '+soon\r\n' }, reason: 'INVALID_REPLY' },
  { lie: { ZCARD: '+many\r\n' }, reason: 'INVALID_REPLY' },
  { lie: { ZCARD: '(9999999999999999999999\r\n' }, reason: 'INVALID_REPLY' },
  { lie: { TIME: ':5\r\n' }, reason: 'INVALID_REPLY' },
  { lie: { TIME: '*2\r\n$4\r\nnoon\r\n$1\r\n0\r\n' }, reason: 'INVALID_REPLY' },
  { lie: { TIME: '*1\r\n$10\r\n1700000000\r\n' }, reason: 'INVALID_REPLY' },
  { lie: { ZCARD: ':0\r\n' } },
]

t.test('replies of other types neither end the process nor change the number of replicas', async (t) => {
  for (const { lie, reason } of CASES) {
    let replies = { ...REPLIES }
    let heartbeats = 0
    const port = await listenOnFreePort(
      t,
      createServer((socket) =>
        socket
          .on('error', () => undefined)
          .on('data', (bytes) => {
            // Commands come as `*<words>`, then a `$<length>` and a line for each word.
            for (const [, command] of bytes.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
              if (command === 'ZCARD') heartbeats++
              socket.write(replies[command!.toUpperCase() as keyof typeof REPLIES] ?? ':1\r\n')
            }
          }),
      ),
    )
    const { redis, targets } = replicaSettings(`redis://127.0.0.1:${port}`)
    const replicas = redisReplicas(redis!, { info: () => undefined, warn: () => undefined }, TIMES)
    t.teardown(() => replicas.close())
    const state = replicas.of(targets[0]!)
    await until(() => state.status()!.disconnectedReason === undefined)

    replies = { ...REPLIES, ...lie }
    const before = heartbeats
    t.equal(await state.get('a'), undefined)
    state.subscribe('topic', () => undefined)
    await until(
      () => state.status()!.disconnectedReason === reason && (reason !== undefined || heartbeats > before + 3),
    )
    t.equal(state.status()!.replicas, 1)
  }
})
