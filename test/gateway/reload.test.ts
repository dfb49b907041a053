import { setTimeout as sleep } from 'node:timers/promises'

import t from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { gatewayFor } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { gatewayOnSockets } from '../support/gateway-on-sockets.ts'
import { get, rawRequest } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

const settingsOf = ({ emulator }: Fixture, variables: NodeJS.ProcessEnv): ReturnType<typeof loadSettings> =>
  loadSettings(
    {
      DYNAMICS_URL: emulator.environment,
      AZURE_TENANT_ID: emulator.tenantId,
      AZURE_CLIENT_ID: emulator.clientId,
      AZURE_CLIENT_SECRET: emulator.clientSecret,
      PORT: '0',
      SHUTDOWN_TIMEOUT: '2s',
      ...variables,
    },
    undefined,
  )

const status = async (url: string): Promise<number> => (await fetch(`${url}/WhoAmI`)).status

t.test('applies new settings without a failed request', async (t) => {
  const gateway = await gatewayFor(t)
  gateway.next.settings = settingsOf(gateway, { IMPERSONATION: 'required' })
  gateway.emulator.faults.dataverse.push({ kind: 'delay', ms: 300 })

  const running = status(gateway.url)
  await until(() => gateway.emulator.load.current > 0)
  gateway.running.reload()
  await until(async () => (await status(gateway.url)) === 403)

  t.equal(await running, 200, 'a request that was running finishes with the settings that it began with')
  t.equal(await status(gateway.url), 403)
})

t.test('a request that outlives the settings that it began with still ends', async (t) => {
  const gateway = await gatewayFor(t, { SHUTDOWN_TIMEOUT: '1ms', TOTAL_TIMEOUT: '4s' })
  const { url, emulator } = gateway
  gateway.next.settings = settingsOf(gateway, { SHUTDOWN_TIMEOUT: '1ms', IMPERSONATION: 'required' })
  emulator.faults.dataverse.push({ kind: 'throttle', retryAfter: 2 }, { kind: 'hang' })

  const waiting = status(url)
  await until(() => emulator.faults.dataverse.pending === 1)
  const other = fetch(`${url}/accounts`)
  gateway.running.reload()
  await until(async () => (await status(url)) === 403)

  t.same([await waiting, (await other).status].sort(), [200, 504])
})

t.test('keeps the current settings if the new ones get no token', async (t) => {
  const gateway = await gatewayFor(t)
  gateway.next.settings = settingsOf(gateway, {
    AZURE_CLIENT_SECRET: 'wrong',
    IMPERSONATION: 'required',
    TOKEN_TIMEOUT: '300ms',
  })

  gateway.running.reload()
  await until(() => /no token could be acquired/.test(gateway.log()))

  t.match(gateway.log(), /no token could be acquired with the new settings/)
  t.equal(await status(gateway.url), 200)
})

t.test('of two reloads the later one wins', async (t) => {
  const gateway = await gatewayFor(t)
  const { emulator, next, running } = gateway
  t.equal(await status(gateway.url), 200)
  const tokenRequests = emulator.tokenRequests.length
  // The first request is from the current gateway, the second from the first new one.
  emulator.faults.entra.push({ kind: 'delay', ms: 500, skip: 1 })
  next.settings = settingsOf(gateway, { IMPERSONATION: 'optional' })
  running.reload()
  await until(() => emulator.tokenRequests.length >= tokenRequests + 2)

  next.settings = settingsOf(gateway, { IMPERSONATION: 'required' })
  running.reload()
  await until(() => gateway.lines.filter(({ msg }) => msg === 'target configured').length === 3)

  t.equal(await status(gateway.url), 403)
  t.match(
    gateway.lines.filter(({ msg }) => msg === 'target configured').map(({ impersonation }) => impersonation),
    ['optional', 'optional', 'required'],
  )
})

t.test('a gateway that stops during a reload stays not ready', async (t) => {
  const gateway = await gatewayFor(t, { SHUTDOWN_DELAY: '60s' })
  const { emulator, next, running, url } = gateway
  t.equal(await status(url), 200)
  const tokenRequests = emulator.tokenRequests.length
  emulator.faults.entra.push({ kind: 'delay', ms: 300, skip: 1 })
  next.settings = settingsOf(gateway, { IMPERSONATION: 'required' })
  running.reload()
  await until(() => emulator.tokenRequests.length >= tokenRequests + 2)

  running.stop()
  const seen = new Set<number>()
  // Long enough for the token of the new gateway.
  for (const end = performance.now() + 800; performance.now() < end; await sleep(20)) {
    seen.add((await fetch(`${url}/-/readyz`)).status)
  }

  t.same([...seen], [503])
  t.equal(await status(url), 200, 'with the settings that it began with')
  t.notMatch(gateway.log(), /no token could be acquired/)
  running.stop()
})

t.test('a reload while the gateway stops changes nothing', async (t) => {
  const gateway = await gatewayFor(t, { SHUTDOWN_DELAY: '60s' })
  const { next, running, url } = gateway
  t.equal(await status(url), 200)

  running.stop()
  next.settings = settingsOf(gateway, { IMPERSONATION: 'required' })
  running.reload()
  t.equal((await fetch(`${url}/-/readyz`)).status, 503)
  t.equal(await status(url), 200)
  running.stop()
  await running.stopped

  t.equal(gateway.lines.filter(({ msg }) => msg === 'target configured').length, 1)
  t.notMatch(gateway.log(), /no token could be acquired/)
})

t.test('without a reader of settings, a reload fetches a token with the credential as it is now', async (t) => {
  const { emulator, running, url, close } = await gatewayOnSockets()
  t.teardown(close)
  t.equal(await status(url), 200)

  const tokenRequests = emulator.tokenRequests.length
  running.reload()
  await until(() => emulator.tokenRequests.length > tokenRequests)

  t.equal(await status(url), 200)
})

t.test('a gateway that was reloaded sheds load at once, because it is not starting', async (t) => {
  const gateway = await gatewayFor(t)
  const { next, running, url } = gateway
  let late = 0
  const now = performance.now.bind(performance)
  performance.now = () => now() + late
  t.teardown(() => {
    performance.now = now
  })
  // Longer than the time after a start in which no lag counts as overload.
  late = 10_100
  next.settings = settingsOf(gateway, { IMPERSONATION: 'required' })
  running.reload()
  await until(async () => (await status(url)) === 403)

  const reloaded = now()
  const busy = setInterval(() => {
    const end = now() + 400
    while (now() < end);
  }, 1)
  let code: unknown
  while (code !== 'GATEWAY_OVERLOADED' && now() - reloaded < 8000) {
    const { error } = (await (await fetch(`${url}/WhoAmI`)).json()) as { error: { code: unknown } }
    code = error.code
  }
  clearInterval(busy)
  t.equal(code, 'GATEWAY_OVERLOADED')
})

t.test('new origins also apply to responses to unreadable requests', async (t) => {
  const gateway = await gatewayFor(t)
  gateway.next.settings = settingsOf(gateway, { ALLOWED_ORIGINS: 'https://app.contoso.com' })
  const heads = async (target: string): Promise<string> =>
    (await rawRequest({ port: Number(new URL(gateway.url).port) }, get(target, 'Origin: https://app.contoso.com'))).head

  gateway.running.reload()
  await until(async () => /^access-control/im.test(await heads('/-/livez')))

  t.match(await heads('/acc ounts'), /^HTTP\/1\.1 400 .*access-control-allow-origin: https:\/\/app\.contoso\.com/is)
})

t.test('logs that the settings have not changed', async (t) => {
  const gateway = await gatewayFor(t)
  gateway.running.reload()
  await until(() => gateway.lines.some(({ msg }) => msg === 'the settings have not changed'))
})

t.test('logs which settings need a restart', async (t) => {
  const gateway = await gatewayFor(t)
  gateway.next.settings = settingsOf(gateway, { MAX_CONNECTIONS: '7' })

  gateway.running.reload()
  await until(() => /need a restart/.test(gateway.log()))

  t.match(
    gateway.lines.find(({ msg }) => /need a restart/.test(String(msg))),
    { settings: ['maxConnections'] },
  )
})

t.test('new settings without callers are refused if the gateway listens beyond loopback', async (t) => {
  const gateway = await gatewayFor(t, { HOST: '0.0.0.0', TRUST_NETWORK: 'true' })
  gateway.next.settings = settingsOf(gateway, { HOST: '127.0.0.1', IMPERSONATION: 'required' })

  gateway.running.reload()
  await until(() => /the current ones stay in use/.test(gateway.log()))

  t.match(
    gateway.lines.find(({ faults }) => faults !== undefined),
    { faults: [/^HOST is 0\.0\.0\.0, /] },
  )
  t.equal(await status(gateway.url.replace('0.0.0.0', '127.0.0.1')), 200)
})
