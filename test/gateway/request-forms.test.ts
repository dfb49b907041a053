import t from 'tap'

import { startEmulator } from '../../emulator/emulator.ts'
import { gatewayForEmulator, gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'
import { sendQuery } from '../support/queries.ts'

const ADELE = 'adele.vance@contoso.com'

t.test('NDJSON needs a collection: a count has no rows', async (t) => {
  const { url } = await gatewayFor(t)
  const response = await fetch(`${url}/accounts/$count`, { headers: { accept: 'application/x-ndjson' } })
  t.equal(response.status >= 400, true)
  t.match(await response.json(), { error: { message: /this address has no rows/ } })
})

t.test('an idempotency key needs Dataverse', async (t) => {
  const emulator = await startEmulator()
  const { url } = await gatewayForEmulator(t, emulator, { DYNAMICS_URL: `${emulator.origin}/data` })
  const response = await fetch(`${url}/Customers`, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json', 'idempotency-key': '"8e03978e-40d5-43dd-bc93-6894a57f9324"' },
  })
  t.equal(response.status, 400)
  t.match(await response.json(), { error: { code: 'GATEWAY_BAD_IDEMPOTENCY_KEY', message: /is not Dataverse/ } })
})

t.test('a key for creates is refused for what is not an entity set', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  for (const path of ['/Image/download.aspx', '/accounts(1)', '/WinOpportunity/x']) {
    const response = await fetch(url + path, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json', 'idempotency-key': '"8e03978e-40d5-43dd-bc93-6894a57f9324"' },
    })
    t.equal(response.status, 400, path)
    t.match(await response.json(), { error: { code: 'GATEWAY_BAD_IDEMPOTENCY_KEY', message: /for creates only/ } })
  }
  t.equal(emulator.executions, 0)
})

t.test('a request that names its user twice is refused', async (t) => {
  const { url, emulator } = await gatewayWithFile(t, (credential) => ({
    anybody: { callerIds: 'allow' },
    targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
  }))
  const response = await fetch(`${url}/WhoAmI`, {
    headers: { 'x-user-email': ADELE, callerobjectid: '99999999-9999-4999-8999-999999999999' },
  })
  t.equal(response.status, 400)
  t.match(await response.json(), { error: { message: /names its user twice/ } })
  t.notOk(emulator.received.some(({ url }) => url?.includes('WhoAmI') === true))
})

t.test('a query that is too long together with its URL is refused', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const long = await sendQuery(
    'POST',
    `${url}/accounts?$select=${'x'.repeat(5000)}`,
    `$filter=name%20eq%20'${'y'.repeat(62_000)}'`,
  )
  t.match(long, { status: 414 })

  t.notOk(emulator.received.some(({ url }) => url?.includes('accounts') === true))
})

t.test('a JSON batch that is too large to be read before it is sent is refused', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const request = { id: '1', method: 'POST', url: '/accounts', body: { description: 'x'.repeat(17 * 1024 * 1024) } }

  const response = await fetch(`${url}/$batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ requests: [request] }),
  })

  t.equal(response.status, 413)
  t.match(await response.json(), { error: { code: 'GATEWAY_BODY_TOO_LARGE', message: /JSON.*16777216/ } })
  t.equal(emulator.executions, 0)
})
