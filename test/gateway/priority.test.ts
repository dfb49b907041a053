import t from 'tap'

import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

t.setTimeout(600_000)

const BACKGROUND = { prefer: 'gateway.priority=background' }

t.test('the priority preference is handled by the gateway, and confirmed in Preference-Applied', async (t) => {
  const gateway = await gatewayFor(t)
  const { url, emulator } = gateway

  const response = await fetch(`${url}/accounts`, {
    headers: { prefer: 'odata.maxpagesize=1, gateway.priority=background' },
  })
  await response.text()

  t.equal(response.status, 200)
  t.match(response.headers.get('preference-applied'), /odata\.maxpagesize=1, gateway\.priority=background/)
  const { rawHeaders } = emulator.received.at(-1)!
  t.equal(rawHeaders[rawHeaders.findIndex((name) => name.toLowerCase() === 'prefer') + 1], 'odata.maxpagesize=1')
  await until(() => gateway.lines.some(({ msg, priority }) => msg === 'request' && priority === 'background'))

  await (await fetch(`${url}/accounts`, { headers: BACKGROUND })).text()
  t.notOk(emulator.received.at(-1)!.rawHeaders.some((name) => name.toLowerCase() === 'prefer'))
})

t.test('an invalid value is refused, and so is the preference on a part of a $batch', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  await (await fetch(`${url}/WhoAmI`)).text()
  const before = emulator.received.length

  const mistyped = await fetch(`${url}/accounts`, { headers: { prefer: 'gateway.priority=low' } })
  t.equal(mistyped.status, 400)
  t.match(await mistyped.json(), { error: { code: 'GATEWAY_BAD_PREFERENCE', message: /background or interactive/ } })
  t.equal(mistyped.headers.get('preference-applied'), null)

  const requests = [{ id: '1', method: 'GET', url: 'accounts', headers: BACKGROUND }]
  const batch = await fetch(`${url}/$batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ requests }),
  })
  t.equal(batch.status, 400)
  t.match(await batch.json(), { error: { code: 'GATEWAY_BAD_PREFERENCE' } })
  t.equal(emulator.received.length, before, 'nothing was sent')
})

t.test('a background caller cannot raise its priority', async (t) => {
  const { url } = await gatewayWithFile(t, (credential) => ({
    anybody: { priority: 'background' },
    targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
  }))

  for (const [prefer, applied] of [
    ['gateway.priority=interactive', null],
    ['gateway.priority=background', 'gateway.priority=background'],
  ] as const) {
    const response = await fetch(`${url}/WhoAmI`, { headers: { prefer } })
    await response.text()
    t.equal(response.status, 200)
    t.equal(response.headers.get('preference-applied'), applied)
  }
})

t.test('an interactive read waits for at most one background response', async (t) => {
  const { url, emulator } = await gatewayFor(t, { MAX_CONCURRENCY: '2' })
  await (await fetch(`${url}/WhoAmI`)).text()
  // Long enough for the interactive read to wait, on a busy machine.
  emulator.switches.latency = 3000
  const metrics = async (): Promise<string> => (await fetch(`${url}/-/metrics`)).text()
  const before = emulator.received.length
  // Different URLs, because identical reads share one call.
  const bulk = Array.from({ length: 8 }, async (_, index) =>
    (await fetch(`${url}/accounts?$top=${index + 1}`, { headers: BACKGROUND })).text(),
  )
  await until(async () => /gateway_background_requests_waiting\{target="dynamics"\} 6/.test(await metrics()))
  const seen = emulator.received.length
  t.equal(seen, before + 2)

  const urgent = fetch(`${url}/contacts`).then((response) => response.text())
  emulator.switches.latency = 0
  await Promise.all([...bulk, urgent])

  const position = emulator.received.slice(seen).findIndex(({ url: path }) => path?.includes('contacts') === true)
  t.ok(position <= 1, `${position} background requests were sent first`)
})
