import t from 'tap'

import type { FetchedToken } from '../../src/credentials/credential.ts'
import { createUserTokenCache } from '../../src/credentials/user-token-cache.ts'
import type { ExchangeFault, UserSession } from '../../src/credentials/user-token-cache.ts'

const HOUR = 3_600_000

/** Requests of the property test: `USER_TOKEN_PAIRS=1000000 node dist/test/credentials/user-token-cache.test.js`. */
const PAIRS = Number(process.env['USER_TOKEN_PAIRS'] ?? 60_000)
const RESTARTS = 4

t.test('a token of one person or session never serves another, for random events', async (t) => {
  const random = generator(20_261_127)
  const pick = (below: number): number => Math.floor(random() * below)
  let wrong = 0
  let served = 0
  let made = 0
  for (let restart = 0; restart < RESTARTS; restart += 1) {
    const clock = handClock()
    const cache = createUserTokenCache({ maxSessions: 550, faultOf: passing, ended: () => new Error('ended'), clock })
    const sessions = new Map<string, { readonly id: string; readonly expires: number }>()
    for (let step = 0; step < PAIRS / RESTARTS; step += 1) {
      const [tenantId, objectId, device] = [`t${pick(3)}`, `u${pick(40)}`, `d${pick(5)}`]
      const where = `${tenantId}/${objectId}/${device}`
      let signIn = sessions.get(where)
      if (signIn === undefined || signIn.expires <= clock.now) {
        signIn = { id: `${device}.${step}`, expires: clock.now + 1 + pick(HOUR) }
        sessions.set(where, signIn)
      }
      const session = { tenantId, objectId, ...signIn }
      const name = `${tenantId}/${objectId}/${signIn.id}`
      const outcome = random()
      let answer = cache.get(session, async () => {
        if (outcome < 0.1) throw new Error('refused')
        made += 1
        return { accessToken: `${name}/${made}`, expiresIn: 1 + pick(1200) }
      })
      if (step % 3 !== 0) clock.now += pick(20)
      if (answer instanceof Promise) answer = await answer.catch(() => '')
      if (answer === '') continue
      served += 1
      if (!answer.startsWith(`Bearer ${name}/`)) wrong += 1
      if (random() < 0.05) cache.discard(session, answer, random() < 0.5)
    }
  }
  t.equal(wrong, 0)
  t.ok(served > PAIRS * 0.4, `${served} were served`)
  t.ok(made < served, `${made} were fetched`)
})

t.test('sessions that differ in tenant, person or id are different', async (t) => {
  const { cache } = cacheOf()
  const seen = new Set<string>()
  for (const tenantId of ['a', 'b']) {
    for (const objectId of ['a', 'b']) {
      for (const id of ['a', 'b']) {
        const name = `${tenantId}${objectId}${id}`
        seen.add(await cache.get(sessionOf({ tenantId, objectId, id }), async () => token(name)))
      }
    }
  }
  t.equal(seen.size, 8)
})

t.test('one exchange runs at a time, shared by all requests that wait for it', async (t) => {
  const { cache } = cacheOf()
  let asked = 0
  const exchange = async (): Promise<FetchedToken> => token(`token-${(asked += 1)}`)
  const answers = await Promise.all(Array.from({ length: 50 }, () => cache.get(sessionOf(), exchange)))
  t.same(new Set(answers), new Set(['Bearer token-1']))
  t.equal(cache.get(sessionOf(), exchange), 'Bearer token-1', 'then at once')
})

t.test('a token is renewed in the background while it is used, and not while it is idle', async (t) => {
  const { cache, clock } = cacheOf()
  let asked = 0
  const exchange = async (): Promise<FetchedToken> => token(`token-${(asked += 1)}`, 1000)
  await cache.get(sessionOf(), exchange)
  clock.now += 800_000
  t.equal(asked, 1)
  t.equal(cache.get(sessionOf(), exchange), 'Bearer token-1', 'nobody waits for the renewal')
  await Promise.resolve()
  await new Promise(setImmediate)
  t.equal(cache.get(sessionOf(), exchange), 'Bearer token-2')
  t.equal(asked, 2)
})

t.test('a token is never used beyond its session, whatever its lifetime', async (t) => {
  const { cache, clock } = cacheOf()
  const session = sessionOf({ expires: 60_000 })
  await cache.get(session, async () => token('long', 86_400))
  clock.now = 59_000
  t.equal(await cache.get(session, unexpected), 'Bearer long')
  clock.now = 60_000
  await t.rejects(Promise.resolve(cache.get(session, unexpected)), /ended/)
})

t.test('the least recently used session is evicted when the cache is full', async (t) => {
  const { cache } = cacheOf({ maxSessions: 3 })
  for (const id of ['1', '2', '3']) await cache.get(sessionOf({ id }), async () => token(id))
  await cache.get(sessionOf({ id: '1' }), unexpected)
  await cache.get(sessionOf({ id: '4' }), async () => token('4'))
  t.equal(cache.size(), 3)
  t.equal(cache.get(sessionOf({ id: '1' }), unexpected), 'Bearer 1')
  t.equal(await cache.get(sessionOf({ id: '2' }), async () => token('again')), 'Bearer again')
})

t.test('a refusal is remembered for its own duration, and discards the token if it is final', async (t) => {
  const { cache, clock } = cacheOf({ fault: { error: () => new Error('no'), pause: 10_000, final: true } })
  let asked = 0
  const refuse = async (): Promise<FetchedToken> => {
    asked += 1
    throw new Error('refused')
  }
  await cache.get(sessionOf(), async () => token('first', 1000))
  clock.now = 800_000
  t.equal(cache.get(sessionOf(), refuse), 'Bearer first')
  await new Promise(setImmediate)
  await t.rejects(Promise.resolve(cache.get(sessionOf(), refuse)), /no/, 'the cached token is not used any more')
  t.equal(asked, 1)
  clock.now += 10_001
  await t.rejects(Promise.resolve(cache.get(sessionOf(), refuse)), /no/)
  t.equal(asked, 2)
})

t.test('an environment that refuses every token does not cause a token request for each request', async (t) => {
  const { cache, clock } = cacheOf()
  let asked = 0
  const exchange = async (): Promise<FetchedToken> => token(`token-${(asked += 1)}`)
  for (let request = 0; request < 20; request += 1) {
    const authorization = await cache.get(sessionOf(), exchange)
    cache.discard(sessionOf(), authorization, false)
  }
  t.equal(asked, 2)
  clock.now += 6000
  cache.discard(sessionOf(), 'Bearer token-2', false)
  t.equal(await cache.get(sessionOf(), exchange), 'Bearer token-3')
  cache.discard(sessionOf(), 'Bearer token-2', true)
  t.equal(
    cache.get(sessionOf(), exchange),
    'Bearer token-3',
    'discarding a token that is no longer cached has no effect',
  )
})

interface HandClock {
  now: number
  readonly steady: () => number
  readonly wall: () => number
  readonly sinceBoot: () => number
}

function handClock(): HandClock {
  const clock = { now: 0, steady: () => clock.now, wall: () => clock.now, sinceBoot: () => clock.now }
  return clock
}

function cacheOf({ maxSessions = 100, fault }: { readonly maxSessions?: number; readonly fault?: ExchangeFault } = {}) {
  const clock = handClock()
  const faultOf = fault === undefined ? passing : (): ExchangeFault => fault
  return { clock, cache: createUserTokenCache({ maxSessions, faultOf, ended: () => new Error('ended'), clock }) }
}

function passing(): ExchangeFault {
  return { error: () => new Error('refused'), pause: 500, final: false }
}

function sessionOf(differences: Partial<UserSession> = {}): UserSession {
  return { tenantId: 't', objectId: 'u', id: 's', expires: 24 * HOUR, ...differences }
}

function token(accessToken: string, expiresIn = 3600): FetchedToken {
  return { accessToken, expiresIn }
}

function unexpected(): Promise<FetchedToken> {
  return Promise.reject(new Error('was asked'))
}

/** A generator with the same numbers every time (mulberry32). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
