import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { redisReplicas } from '../../src/replicas/redis.ts'
import { scopeOf } from '../../src/replicas/scope.ts'
import { createSeal } from '../../src/replicas/seal.ts'
import type { Replicas, SharedState } from '../../src/replicas/shared-state.ts'
import { listenOnFreePort } from '../support/connection-fixture.ts'
import { redisServer } from '../support/redis-server.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { replicaSettings } from '../support/replica-settings.ts'
import { freePort } from '../support/rolling-update.ts'
import { until } from '../support/until.ts'

// Shorter than in production, so that the tests need not wait. Only a command may take longer, because the machine may be
// busy.
const TIMES = { command: 5000, connect: 5000, retry: 30, retryAfterTimeout: 60, stable: 30_000, heartbeat: 50 }
const IMPATIENT = { ...TIMES, command: 100, connect: 500 }

interface Fixture {
  readonly state: SharedState
  readonly replicas: Replicas
  readonly disconnectedReason: () => string | undefined
  /** The log lines: the code when it lost Redis, `back` when it was connected again. */
  readonly lines: string[]
}

function replica(
  t: Test,
  url: string,
  variables: Readonly<Record<string, string>> = {},
  times: typeof TIMES = TIMES,
): Fixture {
  const { redis, targets } = replicaSettings(url, variables)
  const lines: string[] = []
  const replicas = redisReplicas(
    redis!,
    {
      info: () => void lines.push('back'),
      warn: (facts) => void lines.push(String((facts as { code: unknown }).code)),
    },
    times,
  )
  t.teardown(() => replicas.close())
  const state = replicas.of(targets[0]!)
  return { state, replicas, lines, disconnectedReason: () => state.status()!.disconnectedReason }
}

function connected({ disconnectedReason }: Fixture): Promise<void> {
  return until(() => disconnectedReason() === undefined)
}

/** Uses the replica until it finds that Redis is unavailable; nothing may throw. */
async function lost({ state, disconnectedReason }: Fixture): Promise<void> {
  await until(async () => {
    await state.set('a', '1', 60_000)
    return disconnectedReason() !== undefined
  })
}

t.test('absent at startup: the replica works alone, and connects when Redis starts', async (t) => {
  const redis = await redisServer(t)
  await redis.kill()
  const one = replica(t, redis.url)
  t.equal(one.disconnectedReason(), 'CONNECTING')
  t.equal(await one.state.get('a'), undefined)
  await until(() => one.disconnectedReason() === 'ECONNREFUSED')
  await redis.start()
  await connected(one)
  t.same(one.lines, ['ECONNREFUSED', 'back'])
})

t.test('killed and restarted', async (t) => {
  const redis = await redisServer(t)
  const one = replica(t, redis.url)
  await connected(one)
  await redis.kill()
  await until(() => one.disconnectedReason() !== undefined)
  t.equal(await one.state.get('a'), undefined)
  await redis.start()
  await connected(one)
  await one.state.set('a', 'again', 60_000)
  t.equal((await one.state.get('a'))?.value, 'again')
  t.equal(one.lines.length, 3, one.lines.join(' '))
})

t.test('hanging: one command waits, the following ones do not', async (t) => {
  const redis = await redisServer(t)
  const one = replica(t, redis.url, {}, IMPATIENT)
  await connected(one)
  redis.hang()
  const together = await Promise.all([one.state.get('a'), one.state.set('a', '', 1000), one.state.get('b')])
  t.same(together, [undefined, undefined, undefined])
  t.equal(one.disconnectedReason(), 'TIMEOUT')
  t.equal(await one.state.get('b'), undefined)
  await until(() => one.disconnectedReason() === 'TIMEOUT')
  redis.resume()
  await connected(one)
  t.same(one.lines, ['back', 'TIMEOUT', 'back'])
})

t.test('a delay of two seconds counts as hanging', async (t) => {
  const redis = await redisServer(t, ['--enable-debug-command', 'yes'])
  const one = replica(t, redis.url, {}, IMPATIENT)
  await connected(one)
  const slept = redis.command('DEBUG SLEEP 2')
  await lost(one)
  await slept
  await connected(one)
  t.same(one.lines, ['back', 'TIMEOUT', 'back'])
})

const refusals: Readonly<Record<string, { readonly make: readonly string[]; readonly undo: readonly string[] }>> = {
  OOM: { make: ['CONFIG SET maxmemory 1'], undo: ['CONFIG SET maxmemory 0'] },
  READONLY: { make: ['REPLICAOF 127.0.0.1 1'], undo: ['REPLICAOF NO ONE'] },
  WRONGPASS: {
    make: ['ACL SETUSER default resetpass >other', 'CLIENT KILL TYPE normal SKIPME yes', 'CLIENT KILL TYPE pubsub'],
    undo: ['AUTH other', 'ACL SETUSER default nopass'],
  },
}

for (const [code, { make, undo }] of Object.entries(refusals)) {
  t.test(`${code}: the replica works alone, and connects when the fault ends`, async (t) => {
    const redis = await redisServer(t)
    const one = replica(t, redis.url, { REDIS_PASSWORD: 'mine' })
    await connected(one)
    await redis.command(make.join('\r\n'))
    await lost(one)
    await until(() => one.disconnectedReason() === code)
    t.equal(await one.state.get('a'), undefined)
    await redis.command(undo.join('\r\n'))
    await connected(one)
    t.equal(one.lines.length, 3, one.lines.join(' '))
  })
}

t.test('flushed: only its entries are lost', async (t) => {
  const redis = await redisServer(t)
  const one = replica(t, redis.url)
  const counts: number[] = []
  one.state.onReplicas((replicas) => counts.push(replicas))
  await connected(one)
  const two = replica(t, redis.url)
  await connected(two)
  await until(() => one.state.status()!.replicas === 2)
  await one.state.set('a', '1', 60_000)
  await redis.command('FLUSHALL')
  t.equal(await one.state.get('a'), undefined)
  await one.state.set('a', '2', 60_000)
  t.equal((await two.state.get('a'))?.value, '2')
  t.same(one.lines, ['back'])
  t.same(counts, [2], 'entries that Redis lost do not change the number of replicas')
})

t.test('an ACL user with the documented rights, and a password from a file that changes', async (t) => {
  const redis = await redisServer(t)
  const rights = (password: string): string =>
    `ACL SETUSER gateway reset on >${password} ~dynamics-gateway:* &dynamics-gateway:* ` +
    '+get +pttl +set +publish +subscribe +time +zadd +zcard +zrem +zremrangebyscore +pexpire +hello'
  await redis.command(rights('first'))
  const folder = t.testdir({ password: 'first\n' })
  const file = `${folder}/password`
  const one = replica(t, redis.url.replace('//', '//gateway@'), { REDIS_PASSWORD_FILE: file })
  await connected(one)
  await one.state.set('a', '1', 60_000)
  t.equal((await one.state.get('a'))?.value, '1')

  await redis.command(rights('second'))
  await redis.command('CLIENT KILL USER gateway')
  await until(() => one.disconnectedReason() === 'WRONGPASS')
  t.testdir({ password: 'second\n' })
  await connected(one)
  t.equal((await one.state.get('a'))?.value, '1')
})

t.test('live replicas are counted', async (t) => {
  const redis = await redisServer(t)
  const one = replica(t, redis.url)
  const counts: number[] = []
  one.state.onReplicas((replicas) => counts.push(replicas))
  await connected(one)
  const [two, three] = [replica(t, redis.url), replica(t, redis.url)]
  const other = replica(t, redis.url, { DYNAMICS_URL: 'https://fabrikam.crm4.dynamics.com' })
  await until(() => one.state.status()!.replicas === 3)
  t.equal(other.state.status()!.replicas, 1)
  await two.replicas.close()
  await until(() => one.state.status()!.replicas === 2)
  await three.replicas.close()
  await until(() => one.state.status()!.replicas === 1)
  t.equal(counts.at(-1), 1)
})

t.test('Redis sees no address, name or secret, and cannot forge an entry', async (t) => {
  const redis = await redisServer(t)
  const [one, two] = [replica(t, redis.url), replica(t, redis.url)]
  await connected(one)
  await connected(two)
  const got: string[] = []
  two.state.subscribe('news', (message) => got.push(message))
  await one.state.set('user ada@contoso.com', 'ada is 1', 60_000)
  await one.state.set('user bob@contoso.com', 'bob is 2', 60_000)
  one.state.publish('news', 'about ada@contoso.com', 60_000)
  await until(() => got.length === 1)
  const keys = (await redis.command('KEYS *')).match(/dynamics-gateway:1:\S+/g)!
  t.equal(keys.length, 6, keys.join('\n'))
  const values = await Promise.all(keys.map((key) => redis.command(`GET ${key}`)))
  t.notMatch(keys.join('\n') + values.join('\n'), /ada|bob|contoso|news|a-secret/)

  const { targets } = replicaSettings(redis.url)
  const { id: scope } = createSeal('a-secret-that-replicas-share', scopeOf(targets[0]!))

  // An attacker who can write to Redis replaces one user's entry with another's.
  const [ada] = await namesOf(one, redis, 'ada@contoso.com')
  const [bob] = await namesOf(one, redis, 'bob@contoso.com')
  await redis.command(`COPY ${ada} ${bob} REPLACE`)
  t.equal(await one.state.get('user bob@contoso.com'), undefined)
  for (const forged of ['', 'x', 'A'.repeat(200)]) {
    await redis.command(`SET ${bob} "${forged}"`)
    t.equal(await one.state.get('user bob@contoso.com'), undefined)
    await redis.command(`PUBLISH dynamics-gateway:1:messages "${forged}"`)
    await redis.command(`PUBLISH dynamics-gateway:1:messages "${scope}.${forged}"`)
  }
  // Messages arrive in their order, so the forged ones have been handled.
  one.state.publish('news', 'the end', 60_000)
  await until(() => got.length === 2)
  t.equal((await one.state.get('user ada@contoso.com'))?.value, 'ada is 1')
  t.same(got, ['about ada@contoso.com', 'the end'])
})

/** The keys that change when the entry of `address` is set. */
async function namesOf({ state }: Fixture, redis: RedisServer, address: string): Promise<string[]> {
  const dump = async (): Promise<Map<string, string>> => {
    const keys = (await redis.command('KEYS *')).match(/dynamics-gateway:1:[\w-]{43}/g)!
    return new Map(await Promise.all(keys.map(async (key) => [key, await redis.command(`GET ${key}`)] as const)))
  }
  const before = await dump()
  await state.set(`user ${address}`, `${address.slice(0, 3)} is ${address === 'ada@contoso.com' ? 1 : 2}`, 60_000)
  const after = await dump()
  return [...after.keys()].filter((key) => after.get(key) !== before.get(key))
}

t.test('an entry and a message expire at their own time, whatever Redis reports', async (t) => {
  const redis = await redisServer(t)
  const one = replica(t, redis.url)
  await connected(one)
  await one.state.set('a', '1', 300)
  const [key] = (await redis.command('KEYS *')).match(/dynamics-gateway:1:[\w-]{43}/)!
  await redis.command(`PERSIST ${key}`)
  await until(async () => (await one.state.get('a')) === undefined)
  t.match(await redis.command(`TTL ${key}`), ':-1', 'Redis would keep it forever')

  const got: string[] = []
  one.state.subscribe('news', (message) => got.push(message))
  const { targets } = replicaSettings(redis.url)
  const seal = createSeal('a-secret-that-replicas-share', scopeOf(targets[0]!))
  for (const [sequence, [text, sent]] of [
    ['old', Date.now() - 301_000] as const,
    ['new', Date.now()] as const,
  ].entries()) {
    const message = { topic: 'news', text, ttl: 0, sent, from: 'x', sequence }
    const sealed = seal.encrypt(seal.id, JSON.stringify(message))
    await redis.command(`PUBLISH dynamics-gateway:1:messages ${seal.id}.${sealed}`)
  }
  await until(() => got.includes('new'))
  t.same(got, ['new'])
})

t.test('a repeated message neither extends a pause nor starts it again', async (t) => {
  const redis = await redisServer(t)
  const { targets } = replicaSettings(redis.url)
  const seal = createSeal('a-secret-that-replicas-share', scopeOf(targets[0]!))
  function sealed(text: string, sequence: number, ttl: number, sent: number): string {
    const message = { topic: 'pauses', text, ttl, sent, from: 'x', sequence }
    return `${seal.id}.${seal.encrypt(seal.id, JSON.stringify(message))}`
  }
  const publish = (message: string): Promise<string> => redis.command(`PUBLISH dynamics-gateway:1:messages ${message}`)
  const one = replica(t, redis.url)
  await connected(one)
  const got: [string, number][] = []
  one.state.subscribe('pauses', (message, left) => got.push([message, left]))
  const began = Date.now() - 20_000
  const pause = sealed('30 s', 0, 30_000, began)
  for (const message of [pause, pause, sealed('shorter', 1, 60_000, began), pause, sealed('end', 2, 0, Date.now())]) {
    await publish(message)
  }
  await until(() => got.some(([text]) => text === 'end'))
  t.same(
    got.map(([text]) => text),
    ['30 s', 'shorter', 'end'],
    'each counts once, and none after a later one',
  )
  t.ok(got[0]![1] <= 10_000 && got[1]![1] <= 40_000, 'the elapsed time counts')

  const late = replica(t, redis.url)
  await connected(late)
  const heard: string[] = []
  late.state.subscribe('pauses', (message) => heard.push(message))
  for (const message of [sealed('over', 0, 19_000, began), sealed('end', 1, 0, Date.now())]) await publish(message)
  await until(() => heard.includes('end'))
  t.same(heard, ['end'], 'a replica that has just started ignores expired messages')
})

t.test('a target without a shared secret shares nothing', async (t) => {
  const redis = await redisServer(t)
  const variables = {
    AZURE_CLIENT_SECRET: '',
    AZURE_CLIENT_ID: '',
    AZURE_TENANT_ID: '',
    CREDENTIAL: 'managed-identity',
  }
  const { targets } = replicaSettings(undefined, variables)
  const [one, two] = [replica(t, redis.url), replica(t, redis.url)]
  await connected(one)
  await connected(two)
  const [mine, theirs] = [one.replicas.of(targets[0]!), two.replicas.of(targets[0]!)]
  await mine.set('a', '1', 60_000)
  t.equal((await mine.get('a'))?.value, '1')
  t.equal(await theirs.get('a'), undefined)
})

t.test('a replica that is closed while it connects releases everything', async (t) => {
  const redis = await redisServer(t)
  const one = replica(t, redis.url)
  await one.replicas.close()
  await until(async () => (await redis.command('INFO commandstats')).includes('cmdstat_zrem:'))
  await until(async () => !(await redis.command('CLIENT LIST')).includes('sub=1'))
  t.same(one.lines, [])
})

t.test('a replica that is closed before its attempt to connect fails makes no other', async (t) => {
  const sockets: Socket[] = []
  const port = await listenOnFreePort(
    t,
    createServer((socket) => sockets.push(socket.on('error', () => {}).resume())),
  )
  const one = replica(t, `redis://127.0.0.1:${port}`, {}, IMPATIENT)
  await until(() => sockets.length === 1)
  await one.replicas.close()
  await once(sockets[0]!, 'close')

  t.equal(one.disconnectedReason(), 'CONNECTING')
  t.same(one.lines, [])
})

t.test('each loss of a new connection doubles the wait, until a connection was stable', async (t) => {
  const redis = await redisServer(t)
  const waits = async (stable: number, losses: number): Promise<number[]> => {
    const one = replica(t, redis.url, {}, { ...TIMES, retry: 100, stable })
    const waits: number[] = []
    for (let loss = 0; loss < losses; loss++) {
      await connected(one)
      const start = performance.now()
      await redis.command('CLIENT KILL TYPE pubsub')
      await until(() => one.disconnectedReason() !== undefined)
      await connected(one)
      waits.push(performance.now() - start)
    }
    await one.replicas.close()
    return waits
  }
  const unstable = await waits(60_000, 4)
  t.ok(unstable[3]! >= 800, String(unstable))
  // Doubled each time, these two would wait for 3.2 and 6.4 seconds.
  const stable = await waits(0, 7)
  t.ok(Math.min(stable[5]!, stable[6]!) < 3200, String(stable))
})

t.test('replicas with another secret or application share nothing', async (t) => {
  const redis = await redisServer(t)
  const one = replica(t, redis.url)
  const strangers = [
    { AZURE_CLIENT_SECRET: 'another-secret' },
    { AZURE_CLIENT_ID: '11111111-2222-3333-4444-777777777777' },
    { REDIS_ENCRYPTION_KEY: '0123456789abcdef'.repeat(2) },
  ].map((variables) => replica(t, redis.url, variables))
  for (const each of [one, ...strangers]) await connected(each)
  await one.state.set('a', '1', 60_000)
  for (const { state } of strangers) t.equal(await state.get('a'), undefined)
  t.equal((await one.state.get('a'))?.value, '1')
})

t.test('a changed secret file takes effect without a restart', async (t) => {
  const redis = await redisServer(t)
  const file = `${t.testdir({ secret: 'first-secret' })}/secret`
  const secret = { AZURE_CLIENT_SECRET: '', AZURE_CLIENT_SECRET_FILE: file }
  const one = replica(t, redis.url, secret)
  await connected(one)
  await one.state.set('a', '1', 60_000)
  t.testdir({ secret: 'second-secret' })
  const two = replica(t, redis.url, secret)
  await connected(two)
  await until(async () => (await one.state.get('a')) === undefined)
  await one.state.set('a', '2', 60_000)
  t.equal((await two.state.get('a'))?.value, '2')
  t.testdir({})
  // Each of the two reads its secret before each of its heartbeats.
  const beats = await heartbeats(redis)
  await until(async () => (await heartbeats(redis)) > beats + 4)
  t.equal((await one.state.get('a'))?.value, '2', 'a file that is missing for a moment changes nothing')
})

async function heartbeats(redis: RedisServer): Promise<number> {
  return Number(/cmdstat_zadd:calls=(\d+)/.exec(await redis.command('INFO commandstats'))![1])
}

t.test('a server that does not speak the Redis protocol is not used', async (t) => {
  const port = await listenOnFreePort(
    t,
    createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  )
  const one = replica(t, `redis://127.0.0.1:${port}`)
  await until(() => one.disconnectedReason() !== 'CONNECTING')
  t.ok(one.disconnectedReason())
  t.equal(await one.state.get('a'), undefined)
})

t.test('a missing certificate file is a failed connection', async (t) => {
  const { cert } = await generate([{ name: 'commonName', value: 'ca' }], { keyType: 'ec', algorithm: 'sha256' })
  const { redis, targets } = replicaSettings('rediss://127.0.0.1:1', {
    REDIS_CA_PATH: `${t.testdir({ 'ca.pem': cert })}/ca.pem`,
  })
  t.testdir({})
  const replicas = redisReplicas(redis!, { info() {}, warn() {} }, TIMES)
  t.teardown(() => replicas.close())
  const state = replicas.of(targets[0]!)
  await until(() => state.status()!.disconnectedReason === 'ENOENT')
  t.equal(await state.get('a'), undefined)
})

t.test('over TLS, with a private authority and a matching host name', async (t) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'redis' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  })
  const folder = t.testdir({ 'redis.pem': cert, 'redis.key': key })
  const tls = ['--tls-cert-file', `${folder}/redis.pem`, '--tls-key-file', `${folder}/redis.key`]
  const redis = await redisServer(t, [...tls, '--tls-ca-cert-file', `${folder}/redis.pem`, '--tls-auth-clients', 'no'])
  const tlsPort = await freePort()
  await redis.command(`CONFIG SET tls-port ${tlsPort}`)

  const trusted = replica(t, `rediss://localhost:${tlsPort}`, { REDIS_CA_PATH: `${folder}/redis.pem` })
  await connected(trusted)
  await trusted.state.set('a', '1', 60_000)
  t.equal((await trusted.state.get('a'))?.value, '1')

  const untrusted = replica(t, `rediss://localhost:${tlsPort}`)
  await until(() => untrusted.disconnectedReason() === 'DEPTH_ZERO_SELF_SIGNED_CERT')
  const misnamed = replica(t, `rediss://127.0.0.1:${tlsPort}`, { REDIS_CA_PATH: `${folder}/redis.pem` })
  await until(() => misnamed.disconnectedReason() === 'ERR_TLS_CERT_ALTNAME_INVALID')
  t.pass('nothing is sent to who cannot prove to be Redis')
})
