import { networkInterfaces } from 'node:os'

import t from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

/** An address of this machine besides loopback, if it has one. */
const OUTSIDE = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.internal === false && one.family === 'IPv4')?.address

t.test('with listed callers, everything but probes requires a caller or this machine', async (t) => {
  const { url } = await gatewayWithFile(t, (credential) => ({
    host: '0.0.0.0',
    callers: [{ name: 'monitoring', keys: [keyHash('key-of-monitoring')] }],
    targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
  }))
  const { port } = new URL(url)
  const status = async (host: string, path: string, headers: Record<string, string> = {}): Promise<unknown> => {
    const response = await fetch(`http://${host}:${port}${path}`, { headers })
    const text = await response.text()
    return response.status < 400 ? response.status : JSON.parse(text).error.code
  }
  const key = { 'x-api-key': 'key-of-monitoring' }
  // Not before the first token.
  await until(async () => (await fetch(`${url.replace('0.0.0.0', '127.0.0.1')}/-/readyz`)).status === 200)

  for (const path of ['/-/', '/-/metrics']) {
    t.equal(await status('127.0.0.1', path), 200, `${path} on this machine`)
    const passedOn = { 'x-forwarded-for': '203.0.113.7' }
    t.equal(await status('127.0.0.1', path, passedOn), 'GATEWAY_CALLER_UNKNOWN', `${path} through a proxy`)
    t.equal(await status('127.0.0.1', path, { ...passedOn, ...key }), 200)
    if (OUTSIDE === undefined) continue
    t.equal(await status(OUTSIDE, path), 'GATEWAY_CALLER_UNKNOWN', `${path} from elsewhere`)
    t.equal(await status(OUTSIDE, path, { 'x-api-key': 'another' }), 'GATEWAY_CALLER_UNKNOWN')
    t.equal(await status(OUTSIDE, path, { authorization: 'Bearer key-of-monitoring' }), 200)
  }
  for (const path of ['/-/livez', '/-/readyz']) {
    t.type(await status(OUTSIDE ?? '127.0.0.1', path, { 'x-forwarded-for': '203.0.113.7' }), 'number', path)
  }
})

t.test('without listed callers, all own paths are open', async (t) => {
  const { url } = await gatewayFor(t)
  for (const path of ['/-/', '/-/metrics', '/-/livez']) {
    t.equal((await fetch(url + path, { headers: { 'x-forwarded-for': '203.0.113.7' } })).status, 200, path)
  }
})
