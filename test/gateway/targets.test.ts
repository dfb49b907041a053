import t from 'tap'

import { gatewayWithFile } from '../support/gateway-for.ts'

const both = (credential: object): object => ({
  targets: [
    { name: 'sales', url: 'https://contoso.crm4.dynamics.com', credential },
    {
      name: 'service',
      url: 'https://contoso.api.crm4.dynamics.com/api/data/v9.1',
      credential,
      impersonation: { mode: 'required', header: 'x-person' },
    },
  ],
})

t.test('serves each environment below its name, with links that stay there', async (t) => {
  const { url, emulator } = await gatewayWithFile(t, both)

  const sales = (await (await fetch(`${url}/sales/accounts?$top=1&$select=name`)).json()) as {
    '@odata.context': string
  }
  const service = (await (
    await fetch(`${url}/service/api/data/v9.2/accounts?$top=1&$select=name`, {
      headers: { 'x-person': 'adele.vance@contoso.com' },
    })
  ).json()) as { '@odata.context': string }

  t.equal(sales['@odata.context'], `${url}/sales/$metadata#accounts(name)`)
  t.equal(service['@odata.context'], `${url}/service/api/data/v9.2/$metadata#accounts(name)`)
  const hosts = emulator.received.map(
    ({ rawHeaders }) => rawHeaders[rawHeaders.findIndex((name) => name.toLowerCase() === 'host') + 1],
  )
  t.same(new Set(hosts), new Set(['contoso.crm4.dynamics.com', 'contoso.api.crm4.dynamics.com']))
  t.equal(
    emulator.received
      .find(({ url }) => url.includes('internalemailaddress'))
      ?.url.startsWith('/api/data/v9.1/systemusers?'),
    true,
  )
})

t.test('keeps the rules of one environment from the other', async (t) => {
  const { url } = await gatewayWithFile(t, both)

  t.equal((await fetch(`${url}/sales/WhoAmI`)).status, 200)
  t.equal((await fetch(`${url}/service/WhoAmI`)).status, 403)
})

t.test('answers 404 outside of every environment', async (t) => {
  const { url, emulator } = await gatewayWithFile(t, both)

  for (const path of ['/accounts', '/', '/salesx/accounts', '/-/nothing', '/-']) {
    const response = await fetch(url + path)
    t.equal(response.status, 404, path)
    t.match(await response.json(), { error: { code: 'GATEWAY_NOT_FOUND' } })
  }
  t.equal(emulator.received.length, 0)
})
