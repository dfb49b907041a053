import t from 'tap'
import type { Test } from 'tap'

import type { Clock } from '../../src/credentials/clock.ts'
import type { FetchToken } from '../../src/credentials/credential.ts'
import { AuthorityFailure } from '../../src/credentials/failure.ts'
import { cacheToken } from '../../src/credentials/token-cache.ts'
import type { FailureFacts } from '../../src/explanations/authority-errors.ts'
import { memoryLog } from '../support/authority.ts'
import { until } from '../support/until.ts'

const unreachable = failure('The authority is down.', false)
const refusedSecret = failure('The client secret is wrong.', true, { aadsts: 7000215 })

function failure(what: string, refused: boolean, facts: FailureFacts = {}): AuthorityFailure {
  return new AuthorityFailure({ what, why: 'So it is.', todo: 'Wait.' }, refused, facts)
}

/** A clock that the test controls. Timers use the real one. */
function handClock(): Clock & {
  pass: (milliseconds: number) => void
  set: (milliseconds: number) => void
  sleep: (milliseconds: number) => void
} {
  const now = { steady: 1000, wall: 1_000_000, boot: 5000 }
  return {
    steady: () => now.steady,
    wall: () => now.wall,
    sinceBoot: () => now.boot,
    pass: (ms) => {
      now.steady += ms
      now.wall += ms
      now.boot += ms
    },
    set: (ms) => {
      now.wall += ms
    },
    sleep: (ms) => {
      now.wall += ms
      now.boot += ms
    },
  }
}

function storeFor(t: Test, fetch: FetchToken, options: { timeout?: number; clock?: Clock } = {}) {
  const log = memoryLog()
  const store = cacheToken(fetch, { timeout: 5000, log, ...options })
  t.teardown(store.close)
  return Object.assign(store, { log })
}

interface FakeAuthority {
  asked: number
  expiresIn: number | undefined
  failure: Error | undefined
  gate: Promise<void> | undefined
  claims: (string | undefined)[]
  token: string | undefined
  readonly fetch: FetchToken
}

/** An authority that returns token-1, token-2 and so on, and counts requests. */
function authority(expiresIn: number | undefined = 3600): FakeAuthority {
  const fake: FakeAuthority = {
    asked: 0,
    expiresIn,
    failure: undefined,
    gate: undefined,
    claims: [],
    token: undefined,
    fetch: async ({ claims }) => {
      fake.asked += 1
      fake.claims.push(claims)
      const number = fake.asked
      await fake.gate
      if (fake.failure !== undefined) throw fake.failure
      return { accessToken: fake.token ?? `token-${number}`, expiresIn: fake.expiresIn }
    },
  }
  return fake
}

function gate() {
  let open!: () => void
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open }
}

t.test('two hundred cold requests share one fetch', async (t) => {
  const entra = authority()
  const store = storeFor(t, entra.fetch)

  const all = await Promise.all(Array.from({ length: 200 }, () => store.authorization()))

  t.same(new Set(all), new Set(['Bearer token-1']))
  t.equal(entra.asked, 1)
})

t.test('a cached token is returned synchronously, as a string', async (t) => {
  const store = storeFor(t, authority().fetch)
  t.same(store.state(), { token: 'none', validFor: 0, renewals: 0, failures: 0, lastFailure: undefined })
  await store.authorization()

  t.equal(store.authorization(), 'Bearer token-1')
  t.match(store.state(), { token: 'fresh', renewals: 1, failures: 0 })
  t.ok(store.state().validFor > 3_500_000)
})

t.test('a failure is shared by all waiting requests, with a Retry-After', async (t) => {
  const entra = authority()
  entra.failure = unreachable
  const store = storeFor(t, entra.fetch)

  const all = await Promise.allSettled(Array.from({ length: 50 }, () => store.authorization()))

  t.equal(entra.asked, 1)
  for (const one of all) {
    t.match(one, { status: 'rejected', reason: { code: 'GATEWAY_TOKEN_UNAVAILABLE', statusCode: 503, retryAfter: 1 } })
  }
})

t.test('while the authority must not be contacted, requests fail at once', async (t) => {
  const entra = authority()
  entra.failure = failure('Asked too often.', false, { retryAfter: 500_000 })
  const store = storeFor(t, entra.fetch)
  await t.rejects(store.authorization() as Promise<string>)

  await t.rejects(
    store.authorization() as Promise<string>,
    { code: 'GATEWAY_TOKEN_UNAVAILABLE', retryAfter: 60 },
    'Retry-After is followed up to a minute',
  )
  t.equal(entra.asked, 1)
  t.equal(store.state().lastFailure, 'Asked too often. So it is. Wait.')
})

t.test('a refused credential is a 502 and is not tried again soon', async (t) => {
  const clock = handClock()
  const entra = authority()
  entra.failure = refusedSecret
  const store = storeFor(t, entra.fetch, { clock })
  await t.rejects(store.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED', statusCode: 502 })

  clock.pass(20_000)
  await t.rejects(store.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
  t.equal(entra.asked, 1)
  clock.pass(20_000)
  entra.failure = undefined
  t.equal(await store.authorization(), 'Bearer token-2')
  t.match(store.log.lines, [{ level: 'error', facts: { aadsts: 7000215 } }, { level: 'info' }, { level: 'debug' }])
})

t.test('after a short outage a token is fetched within two seconds, without a request', async (t) => {
  const entra = authority()
  entra.failure = unreachable
  const store = storeFor(t, entra.fetch)
  store.warmUp()
  await until(() => store.state().failures === 1)
  entra.failure = undefined

  await until(() => store.state().token === 'fresh')
  t.equal(entra.asked, 2)
  t.equal(store.state().lastFailure, undefined)
})

t.test('after a long outage the first callers get a token within two seconds', async (t) => {
  const entra = authority()
  entra.failure = unreachable
  const clock = handClock()
  const store = storeFor(t, entra.fetch, { clock })
  for (let second = 0; second < 60; second += 1) {
    await t.rejects(async () => store.authorization(), { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
    clock.pass(1000)
  }
  t.ok(
    entra.asked > 20 && entra.asked <= 60,
    `the authority is asked every other second meanwhile: ${entra.asked} times`,
  )
  entra.failure = undefined
  await Promise.resolve(store.authorization()).catch(() => undefined)
  clock.pass(2000)

  t.match(await store.authorization(), /^Bearer token/)
})

t.test('a token is renewed in the background while the old one is served', async (t) => {
  const entra = authority(1)
  // On a busy machine, a second may have passed before the next line.
  const clock = handClock()
  const store = storeFor(t, entra.fetch, { clock })
  await store.authorization()
  const renewal = gate()
  entra.gate = renewal.promise
  entra.expiresIn = 3600
  await until(() => entra.asked === 2)
  clock.pass(900)

  t.equal(store.authorization(), 'Bearer token-1')
  t.equal(store.state().token, 'stale')
  renewal.open()
  await until(() => store.state().renewals === 2)
  t.equal(store.authorization(), 'Bearer token-2')
})

t.test('while the authority is down, a token is served as long as it is valid, and no longer', async (t) => {
  const clock = handClock()
  const entra = authority(3600)
  const store = storeFor(t, entra.fetch, { clock })
  await store.authorization()
  entra.failure = unreachable
  store.reload()
  await until(() => store.state().failures === 1)

  clock.pass(3_585_000)
  t.equal(store.authorization(), 'Bearer token-1', 'seconds before its end')
  t.equal(store.state().token, 'stale')
  clock.pass(6000)
  await t.rejects(store.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' }, 'not at its end')
  t.equal(store.state().token, 'none')
})

t.test('a short-lived token serves many requests', async (t) => {
  for (const life of [2, 5, 30]) {
    const entra = authority(life)
    const store = storeFor(t, entra.fetch)
    await store.authorization()
    for (let count = 0; count < 100; count++) t.equal(store.authorization(), 'Bearer token-1')
    t.equal(entra.asked, 1, `${life} s`)
  }
})

t.test('without a valid lifetime, the authority is not contacted for every request', async (t) => {
  for (const life of [undefined, -5, 0]) {
    const entra = authority(life)
    if (life === undefined) entra.expiresIn = undefined
    const store = storeFor(t, entra.fetch)
    await store.authorization()
    t.equal(store.authorization(), 'Bearer token-1')
    t.ok(store.state().validFor > 50_000 && store.state().validFor <= 60_000)
  }
})

t.test('a fetch that hangs ends at the timeout, for all waiting requests', async (t) => {
  let ended: unknown
  const store = storeFor(
    t,
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          ended = signal.reason
          reject(signal.reason as Error)
        })
      }),
    { timeout: 60 },
  )

  await t.rejects(Promise.all([store.authorization(), store.authorization()]), { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.type(ended, AuthorityFailure)
  t.match(store.state().lastFailure, /within 60 ms/)
})

t.test('a refused token is replaced once for all requests that used it', async (t) => {
  const entra = authority()
  const store = storeFor(t, entra.fetch)
  const old = await store.authorization()

  const renewed = await Promise.all(
    Array.from({ length: 50 }, async () => {
      store.discard(old)
      return store.authorization()
    }),
  )
  store.discard(old)

  t.same(new Set(renewed), new Set(['Bearer token-2']))
  t.equal(store.authorization(), 'Bearer token-2')
  t.equal(entra.asked, 2)
})

t.test('the claims of a challenge are passed on', async (t) => {
  const entra = authority()
  const store = storeFor(t, entra.fetch)
  store.discard(await store.authorization(), '{"access_token":{}}')
  await store.authorization()

  t.same(entra.claims, [undefined, '{"access_token":{}}'])
})

t.test('an environment that refuses every token does not cause a flood of token requests', async (t) => {
  const clock = handClock()
  const entra = authority()
  const store = storeFor(t, entra.fetch, { clock })
  for (let count = 0; count < 50; count++) store.discard(await store.authorization())
  t.equal(entra.asked, 3)

  clock.pass(10_001)
  store.discard(await store.authorization())
  await store.authorization()
  t.equal(entra.asked, 4, 'after ten seconds it is tried again')
})

t.test('an authority that returns the refused token again is not contacted for ten seconds', async (t) => {
  const entra = authority()
  entra.token = 'same'
  const store = storeFor(t, entra.fetch)
  for (let count = 0; count < 5; count++) store.discard(await store.authorization())

  t.equal(entra.asked, 2)
  t.equal(store.authorization(), 'Bearer same')
})

t.test('a refused token stays in use if the authority returns no other', async (t) => {
  const entra = authority()
  const store = storeFor(t, entra.fetch)
  const old = await store.authorization()
  entra.failure = unreachable
  store.discard(old)
  await t.rejects(store.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })

  t.equal(store.authorization(), old)
  store.discard(old)
  t.equal(store.authorization(), old, 'while the authority is not contacted, a refusal changes nothing')
  t.equal(entra.asked, 2)
})

t.test('a token that is refused during its renewal waits for that renewal', async (t) => {
  const entra = authority()
  const store = storeFor(t, entra.fetch)
  const old = await store.authorization()
  const renewal = gate()
  entra.gate = renewal.promise
  store.reload()
  store.discard(old)
  const next = store.authorization()
  renewal.open()

  t.equal(await next, 'Bearer token-2')
  t.equal(entra.asked, 2)
})

t.test('a clock that is set forward two hours changes nothing', async (t) => {
  const clock = handClock()
  const entra = authority()
  const store = storeFor(t, entra.fetch, { clock })
  await store.authorization()
  clock.set(2 * 3_600_000)

  t.equal(store.authorization(), 'Bearer token-1')
  clock.set(-4 * 3_600_000)
  t.equal(store.authorization(), 'Bearer token-1')
  clock.pass(3_599_000)
  t.equal(await store.authorization(), 'Bearer token-2', 'nor does a clock that is set back')
})

t.test('a token that expired while the machine slept is not served', async (t) => {
  const clock = handClock()
  const entra = authority()
  const store = storeFor(t, entra.fetch, { clock })
  await store.authorization()
  clock.sleep(2 * 3_600_000)

  t.equal(await store.authorization(), 'Bearer token-2')
})

t.test('a reload fetches a new token, even during another fetch, and keeps the old one meanwhile', async (t) => {
  const entra = authority()
  const store = storeFor(t, entra.fetch)
  const slow = gate()
  entra.gate = slow.promise
  const first = store.authorization()
  store.reload()
  slow.open()
  t.equal(await first, 'Bearer token-1')

  await until(() => store.state().renewals === 2)
  t.equal(store.authorization(), 'Bearer token-2')
})

t.test('a reload does not wait for the pause after a failure', async (t) => {
  const entra = authority()
  entra.failure = refusedSecret
  const store = storeFor(t, entra.fetch)
  await t.rejects(store.authorization() as Promise<string>)
  entra.failure = undefined
  store.reload()

  t.equal(await store.authorization(), 'Bearer token-2')
})

t.test('an unexpected error counts as a failure and is not shown', async (t) => {
  const store = storeFor(t, async () => {
    throw new Error('s3cret')
  })
  await t.rejects(store.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.notMatch(store.state().lastFailure, /s3cret/)
})

t.test('warming up fetches once, and does not retry by itself', async (t) => {
  const entra = authority()
  const store = storeFor(t, entra.fetch)
  store.warmUp()
  store.warmUp()
  t.equal(await store.authorization(), 'Bearer token-1')
  store.warmUp()
  t.equal(entra.asked, 1)
})

t.test('nothing is fetched after close', async (t) => {
  const entra = authority()
  const store = storeFor(t, entra.fetch)
  store.close()
  store.warmUp()
  store.reload()
  await t.rejects(store.authorization() as Promise<string>, { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  t.equal(entra.asked, 0)
})
