import t from 'tap'
import type { Test } from 'tap'

import { inProcess } from '../../src/replicas/in-process.ts'
import { redisReplicas } from '../../src/replicas/redis.ts'
import type { SharedState } from '../../src/replicas/shared-state.ts'
import { redisServer } from '../support/redis-server.ts'
import { replicaSettings } from '../support/replica-settings.ts'
import { until } from '../support/until.ts'

/** Makes what two connections to the same target, and one to another, share. */
type Make = (t: Test) => Promise<{ readonly one: SharedState; readonly two: SharedState; readonly other: SharedState }>

const OTHER = { DYNAMICS_URL: 'https://fabrikam.crm4.dynamics.com' }

const implementations: Readonly<Record<string, Make>> = {
  'in one process': async () => {
    const replicas = inProcess(1000)
    const [target] = replicaSettings(undefined).targets
    const [other] = replicaSettings(undefined, OTHER).targets
    return { one: replicas.of(target!), two: replicas.of(target!), other: replicas.of(other!) }
  },
  'through Redis': async (t) => {
    const { url } = await redisServer(t)
    const [one, two, other] = [{}, {}, OTHER].map((variables) => {
      const { redis, targets } = replicaSettings(url, variables)
      const replicas = redisReplicas(redis!, { info() {}, warn() {} })
      t.teardown(() => replicas.close())
      return replicas.of(targets[0]!)
    })
    await until(() => [one, two, other].every((state) => state!.status()!.disconnectedReason === undefined))
    return { one: one!, two: two!, other: other! }
  },
}

for (const [name, make] of Object.entries(implementations)) {
  t.test(name, async (t) => {
    const { one, two, other } = await make(t)

    await t.test('a value that one sets is visible to another', async (t) => {
      await one.set('a', 'grüße\n', 60_000)
      t.equal((await two.get('a'))?.value, 'grüße\n')
      t.equal(await two.get('b'), undefined)
    })

    await t.test('clock differences do not extend the life of a value', async (t) => {
      const { now } = Date
      Date.now = () => now() + 240_000
      t.teardown(() => void (Date.now = now))
      const set = one.set('ahead', 'x', 60_000)
      Date.now = now
      await set
      const { remainingMs: left } = (await two.get('ahead'))!
      t.ok(left > 1000 && left < 62_000, `${left} ms`)
    })

    await t.test('a value expires after its lifetime', async (t) => {
      await one.set('short', 'x', 1)
      await until(async () => (await two.get('short')) === undefined)
      t.equal(await two.get('short'), undefined)
    })

    await t.test('a message reaches all others, but not its sender', async (t) => {
      const got: unknown[] = []
      one.subscribe('news', (message) => got.push(['one', message]))
      two.subscribe('news', (message, left) => got.push(['two', message, left > 0 && left <= 60_000]))
      two.subscribe('news', (message) => got.push(['two again', message]))
      two.subscribe('weather', (message) => got.push(['weather', message]))
      one.publish('news', 'hello', 60_000)
      await until(() => got.length === 2)
      t.same(got, [
        ['two', 'hello', true],
        ['two again', 'hello'],
      ])
    })

    await t.test('a later subscriber gets the last message until it expires', async (t) => {
      const got: [string, number][] = []
      one.publish('forecast', 'rain', 60_000)
      one.publish('forecast', 'sun', 50_000)
      one.publish('never', 'x', 0)
      await one.set('afterwards', '', 1000)
      await two.get('afterwards')
      for (const topic of ['never', 'forecast']) {
        two.subscribe(topic, (message, left) => got.push([message, left]))
      }
      await until(() => got.length > 0)
      t.equal(got.length, 1)
      t.equal(got[0]![0], 'sun')
      t.ok(got[0]![1] > 1000 && got[0]![1] <= 50_000)
    })

    await t.test('another target sees none of it', async (t) => {
      const got: string[] = []
      other.subscribe('news', (message) => got.push(message))
      two.subscribe('end', (message) => got.push(message))
      one.publish('news', 'secret', 60_000)
      one.publish('end', 'end', 0)
      await until(() => got.includes('end'))
      t.same(got, ['end'])
      t.equal(await other.get('a'), undefined)
    })

    await t.test('nothing is received after close', async (t) => {
      const got: string[] = []
      const { subscribe, close } = two
      subscribe('late', (message) => got.push(message))
      other.subscribe('late', () => undefined)
      close()
      one.publish('late', 'too late', 0)
      await one.set('after', 'x', 1000)
      t.same(got, [])
    })
  })
}

t.test('a single gateway counts only itself', async (t) => {
  const replicas = inProcess(1)
  const state = replicas.of(replicaSettings(undefined).targets[0]!)
  state.onReplicas(() => t.fail('nobody comes'))
  t.equal(state.status(), undefined)
  await replicas.close()
})

t.test('in one process the least recently used value is evicted first', async (t) => {
  const state = inProcess(2).of(replicaSettings(undefined).targets[0]!)
  await state.set('a', '1', 60_000)
  await state.set('b', '2', 60_000)
  await state.get('a')
  await state.set('c', '3', 60_000)
  const found = await Promise.all(['a', 'b', 'c'].map(state.get))
  t.same(
    found.map((one) => one?.value),
    ['1', undefined, '3'],
  )
})
