import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import t from 'tap'
import type { Test } from 'tap'

import { startEmulator } from '../../emulator/emulator.ts'
import type { Emulator } from '../../emulator/emulator.ts'
import { gatewayForEmulator } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { redisServer } from '../support/redis-server.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const ADELE = { 'x-user-email': 'adele.vance@contoso.com' }

/** A replica that shares state with the others. */
async function replica(t: Test, emulator: Emulator, url: string): Promise<Fixture> {
  const gateway = await gatewayForEmulator(t, emulator, { REDIS_URL: url })
  await until(() => logged(gateway, 'connected to Redis') > 0)
  return gateway
}

/** How many lines of the log begin with `message`. */
function logged({ lines }: Fixture, message: string): number {
  return lines.filter(({ msg }) => String(msg).startsWith(message)).length
}

function metric(page: string, name: string): number {
  return Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(page)?.[1])
}

t.test('a service protection limit at one replica pauses all, including those that start meanwhile', async (t) => {
  const [redis, emulator] = [await redisServer(t), await startEmulator()]
  const [one, two] = [await replica(t, emulator, redis.url), await replica(t, emulator, redis.url)]
  emulator.faults.limit({ kind: 'count', seconds: 3 })

  const first = fetch(`${one.url}/WhoAmI`)
  await until(() => logged(two, 'sending paused: another replica') === 1)
  const three = await replica(t, emulator, redis.url)
  await until(() => logged(three, 'sending paused: another replica') === 1)
  const others = await Promise.all([two, three].map(({ url }) => fetch(`${url}/WhoAmI`)))

  t.equal(emulator.faults.violations, 0)
  t.same(
    [await first, ...others].map(({ status }) => status),
    [200, 200, 200],
  )
  const refusals = emulator.received.filter(({ url }) => url.endsWith('/WhoAmI')).length - 3
  t.equal(refusals, 1, 'one request met the limit')
})

t.test('a concurrency refusal pauses the other replicas for one second, whatever Retry-After', async (t) => {
  const [redis, emulator] = [await redisServer(t), await startEmulator()]
  const [one, two] = [await replica(t, emulator, redis.url), await replica(t, emulator, redis.url)]
  emulator.faults.dataverse.push({ kind: 'throttle', limit: 'concurrency', retryAfter: 30, path: 'WhoAmI' })

  void fetch(`${one.url}/WhoAmI`).catch(() => undefined)
  await until(() => logged(two, 'sending paused: another replica') === 1)

  t.equal((await fetch(`${two.url}/WhoAmI`)).status, 200)
})

t.test('definitions that are published through one replica are evicted by the others', async (t) => {
  const [redis, emulator] = [await redisServer(t), await startEmulator()]
  const [one, two] = [await replica(t, emulator, redis.url), await replica(t, emulator, redis.url)]
  const source = async (): Promise<string> => {
    const response = await fetch(`${two.url}/$metadata`)
    await response.arrayBuffer()
    return response.headers.get('cache-status') ?? ''
  }
  await until(async () => (await source()).includes('hit'))

  const published = await fetch(`${one.url}/PublishAllXml`, { method: 'POST' })

  t.equal(published.status, 204)
  // Only a message evicts it: the replica's own checks are 30 s apart.
  await until(async () => (await source()).includes('fwd='))
  t.match(await source(), 'hit')
})

t.test('a found user and an unknown address are looked up once for all replicas', async (t) => {
  const [redis, emulator] = [await redisServer(t), await startEmulator()]
  const [one, two] = [await replica(t, emulator, redis.url), await replica(t, emulator, redis.url)]
  const lookups = (): number => emulator.received.filter(({ url }) => url.includes('systemusers')).length
  const userAt = async ({ url }: Fixture): Promise<unknown> =>
    ((await (await fetch(`${url}/WhoAmI`, { headers: ADELE })).json()) as { UserId: unknown }).UserId
  const refusalAt = async ({ url }: Fixture, email: string): Promise<unknown> => {
    const response = await fetch(`${url}/WhoAmI`, { headers: { 'x-user-email': email } })
    return ((await response.json()) as { error: { code: unknown } }).error.code
  }

  const user = await userAt(one)
  await until(async () => (await redis.command('DBSIZE')) !== ':0')
  t.equal(await userAt(two), user)
  t.equal(lookups(), 1)

  t.equal(await refusalAt(one, 'nobody@contoso.com'), 'GATEWAY_USER_UNKNOWN')
  t.equal(await refusalAt(two, 'nobody@contoso.com'), 'GATEWAY_USER_UNKNOWN')
  t.equal(lookups(), 2)
})

t.test('a user that one replica finds disabled is refused by all', async (t) => {
  const [redis, emulator] = [await redisServer(t), await startEmulator()]
  const one = await replica(t, emulator, redis.url)
  const statusAt = async ({ url }: Fixture): Promise<number> =>
    (await fetch(`${url}/WhoAmI`, { headers: ADELE })).status
  t.equal(await statusAt(one), 200)
  const row = emulator.rows('systemusers').find(({ internalemailaddress: email }) => email === ADELE['x-user-email'])!
  emulator.put('systemusers', { ...row, isdisabled: true })
  await redis.command('FLUSHALL')

  const two = await replica(t, emulator, redis.url)
  t.equal(await statusAt(two), 403)

  await until(async () => {
    const response = await fetch(`${one.url}/WhoAmI`, { headers: ADELE })
    return (await response.text()).includes('GATEWAY_USER_DISABLED')
  })
})

t.test('a create that one replica executed is remembered by the others', async (t) => {
  const [redis, emulator] = [await redisServer(t), await startEmulator()]
  const [one, two] = [await replica(t, emulator, redis.url), await replica(t, emulator, redis.url)]
  const create = ({ url }: Fixture, name: string): Promise<Response> =>
    fetch(`${url}/accounts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': '"shared"' },
      body: JSON.stringify({ name }),
    })

  const before = await redis.command('DBSIZE')
  t.equal((await create(one, 'Shared Ltd')).status, 204)
  await until(async () => (await redis.command('DBSIZE')) !== before)
  const again = await create(two, 'Shared Ltd')
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  t.equal((await create(two, 'Other Ltd')).status, 422)
  t.equal(emulator.received.filter(({ method }) => method === 'POST').length, 1, 'answered from memory')
})

t.test('the concurrency limit is divided among the replicas', async (t) => {
  const [redis, emulator] = [await redisServer(t), await startEmulator()]
  const one = await replica(t, emulator, redis.url)
  const limit = async (): Promise<number> =>
    metric(await (await fetch(`${one.url}/-/metrics`)).text(), 'gateway_concurrency_limit')
  t.equal(await limit(), 52)
  await replica(t, emulator, redis.url)
  await until(async () => (await limit()) === 26)
})

t.test('without Redis nothing fails: the replica reports that it works alone, and is ready', async (t) => {
  const [redis, emulator] = [await redisServer(t), await startEmulator()]
  const one = await replica(t, emulator, redis.url)
  const page = async (path: string): Promise<string> => (await fetch(`${one.url}${path}`)).text()
  t.equal(metric(await page('/-/metrics'), 'gateway_replica_alone'), 0)
  t.equal(metric(await page('/-/metrics'), 'gateway_replicas'), 1)
  t.match(await page('/-/'), /1 connected through Redis/)

  await redis.kill()
  await until(() => logged(one, 'Redis cannot be used') === 1)
  t.equal((await fetch(`${one.url}/WhoAmI`, { headers: ADELE })).status, 200)
  t.equal((await fetch(`${one.url}/-/readyz`)).status, 200)
  t.equal(metric(await page('/-/metrics'), 'gateway_replica_alone'), 1)
  t.match(await page('/-/'), /alone: Redis cannot be used \(E?\w+\)/)

  await redis.start()
  await until(() => logged(one, 'connected to Redis') === 2)
  t.equal(metric(await page('/-/metrics'), 'gateway_replica_alone'), 0)
  t.equal(logged(one, 'Redis cannot be used'), 1)
})

t.test('the bundle contains the Redis client', async (t) => {
  const redis = await redisServer(t)
  await redis.command('ACL SETUSER gateway on >password ~* &* +@all')
  const gateway = spawn(
    process.execPath,
    [fileURLToPath(new URL('../../bundle/gateway.js', import.meta.url)), 'demo'],
    {
      env: { PORT: '0', LOG_FORMAT: 'json', REDIS_URL: redis.url.replace('//', '//gateway:password@').concat('/1') },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  t.teardown(() => gateway.kill('SIGKILL'))
  const lines: string[] = []
  for (const stream of [gateway.stdout, gateway.stderr]) {
    createInterface(stream).on('line', (line) => lines.push(line))
  }
  await until(() => lines.some((line) => line.includes('connected to Redis')))
  const ended = once(gateway, 'exit')
  gateway.kill('SIGTERM')
  t.same(await ended, [0, null])
})
