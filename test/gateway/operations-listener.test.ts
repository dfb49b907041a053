import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { loadSettings } from '../../src/config/load.ts'
import { SettingsError } from '../../src/config/settings-error.ts'
import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'

const PASSED_ON = { 'x-forwarded-for': '203.0.113.7' }

t.test('the second listener serves probes and metrics without a caller, and nothing else', async (t) => {
  const { running } = await gatewayWithFile(t, (credential) => ({
    metricsPort: 0,
    callers: [{ name: 'app', keys: [keyHash('key-of-the-app')] }],
    targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
  }))
  const at = running.operationsAddress!

  for (const path of ['/-/livez', '/-/metrics', '/-/metrics?x=1']) {
    const response = await fetch(at + path, { headers: PASSED_ON })
    t.equal(response.status, 200, path)
    await response.text()
  }
  const ready = await fetch(`${at}/-/readyz`, { headers: PASSED_ON })
  t.match(await ready.json(), { status: /ready/ }, 'ready or not yet')
  for (const path of ['/-/', '/accounts', '/', '/-/metrics/', '/-/inspector', '/-/livez/..', '//-/metrics']) {
    const response = await fetch(at + path, { headers: { 'x-api-key': 'key-of-the-app' } })
    t.equal(response.status, 404, path)
    t.ok(response.headers.has('x-request-id'))
    await response.text()
  }
  const main = await fetch(`${running.address}/-/metrics`, { headers: PASSED_ON })
  t.equal(main.status, 401, 'the main listener still requires a caller')
  await main.text()
})

t.test('a rebound name is refused there too', async (t) => {
  const { running } = await gatewayFor(t, { METRICS_PORT: '0' })
  const { port } = new URL(running.operationsAddress!)

  t.equal(await calledBy('evil.example', port), 421)
  t.equal(await calledBy('127.0.0.1', port), 200)
})

t.test('with the main listener on a Unix socket, the second listener still checks the Host', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const socket = join(folder, 'gw.sock')
  const { running } = await gatewayFor(t, { METRICS_PORT: '0', HOST: `unix:${socket}` })
  const { port } = new URL(running.operationsAddress!)

  t.equal(await calledBy('evil.example', port), 421)
  t.equal(await calledBy('127.0.0.1', port), 200)
})

t.test('a port in use is an error that names the variable', async (t) => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo

  await t.rejects(gatewayFor(t, { METRICS_PORT: String(port) }), {
    constructor: SettingsError,
    message: /is already in use.*change METRICS_PORT \(or METRICS_HOST\)/,
  })
})

t.test('contradictory settings are errors', async (t) => {
  const load = (variables: NodeJS.ProcessEnv) => (): unknown =>
    loadSettings(
      { DYNAMICS_URL: 'https://contoso.crm4.dynamics.com', AZURE_CLIENT_SECRET: 'x', ...variables },
      undefined,
    )
  const app = {
    AZURE_TENANT_ID: '11111111-1111-4111-8111-111111111111',
    AZURE_CLIENT_ID: '22222222-2222-4222-8222-222222222222',
  }

  t.throws(load({ ...app, METRICS_HOST: '0.0.0.0' }), { message: /METRICS_PORT is not/ })
  t.throws(load({ ...app, METRICS_PORT: '8080', PORT: '8080' }), { message: /the gateway itself/ })
  t.throws(load({ ...app, METRICS_PORT: 'x' }), { message: /METRICS_PORT is not a whole number/ })
  t.doesNotThrow(load({ ...app, METRICS_PORT: '9090', METRICS_HOST: '::' }))
})

/** The status that metrics are answered with to who calls the gateway `host`. */
function calledBy(host: string, port: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/-/metrics', headers: { host }, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
}
