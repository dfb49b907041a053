import t from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'

t.test('refuses a user where the product cannot act as one', async (t) => {
  const { url, emulator } = await gatewayFor(t, { DYNAMICS_URL: 'https://contoso.operations.dynamics.com' })

  const response = await fetch(`${url}/Customers`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })

  t.equal(response.status, 400)
  t.match(await response.json(), { error: { code: 'GATEWAY_IMPERSONATION_UNSUPPORTED' } })
  t.equal(emulator.received.length, 0)
})

t.test('lets each caller name its listed users', async (t) => {
  const { url, emulator } = await gatewayWithFile(t, (credential) => ({
    targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
    callers: [
      { name: 'sales', keys: [keyHash('sales')], users: ['adele.vance@contoso.com', '@fabrikam.example'] },
      { name: 'sync', keys: [keyHash('sync')], users: [], callerIds: 'allow' },
    ],
  }))
  const ask = async (key: string, headers: Record<string, string> = {}): Promise<number> =>
    (await fetch(`${url}/WhoAmI`, { headers: { 'x-api-key': key, ...headers } })).status
  const adele = String(
    emulator
      .rows('systemusers')
      .find(({ internalemailaddress }) => internalemailaddress === 'adele.vance@contoso.com')?.['systemuserid'],
  )

  t.equal(await ask('nobody'), 401)
  t.equal(await ask('sales'), 200)
  t.equal(await ask('sales', { 'x-user-email': 'Adele.Vance@contoso.com' }), 200)
  t.equal(await ask('sales', { 'x-user-email': 'kai.carter@fabrikam.example' }), 200)
  t.equal(await ask('sales', { 'x-user-email': 'alex.wilber@contoso.com' }), 403)
  t.equal(await ask('sales', { mscrmcallerid: adele }), 400)
  t.equal(await ask('sync', { mscrmcallerid: adele }), 200)
  const { rawHeaders: sent } = emulator.received.at(-1)!
  t.equal(sent.at(sent.findIndex((name) => name.toLowerCase() === 'mscrmcallerid') + 1), adele)
  t.equal(await ask('sync', { mscrmcallerid: adele, 'x-user-email': 'adele.vance@contoso.com' }), 403)
  t.notOk(emulator.received.some(({ rawHeaders }) => rawHeaders.some((text) => /^(x-api-key|sales|sync)$/i.test(text))))
})
