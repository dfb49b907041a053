import t from 'tap'

import { mayReplace } from '../../src/commands/serve/hot-swap.ts'
import type { TokenStatus } from '../../src/observe/health.ts'
import { gatewayWithFile } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

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

t.test('serves each environment below its name, with links below the same name', async (t) => {
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

t.test('the name of an environment alone is the address of its service document', async (t) => {
  const { url, emulator } = await gatewayWithFile(t, both)

  for (const path of ['/sales', '/sales/', '/sales?x=1']) {
    const response = await fetch(url + path)
    t.equal(response.status, 200, path)
    t.equal(((await response.json()) as { '@odata.context': string })['@odata.context'], `${url}/sales/$metadata`)
  }
  t.same(
    emulator.received.map(({ url }) => url),
    ['', '', '?x=1'].map((query) => `/api/data/v9.2/${query}`),
  )
})

t.test('applies the rules of each environment separately', async (t) => {
  const { url } = await gatewayWithFile(t, both)

  t.equal((await fetch(`${url}/sales/WhoAmI`)).status, 200)
  t.equal((await fetch(`${url}/service/WhoAmI`)).status, 403)
})

t.test('answers 404 outside of every environment', async (t) => {
  const { url, emulator } = await gatewayWithFile(t, both)

  for (const path of ['/accounts', '/', '/salesx/accounts', '/-/nothing', '/-']) {
    const response = await fetch(url + path)
    t.equal(response.status, 404, path)
    const { error } = (await response.json()) as { error: { code: string; message: string } }
    t.equal(error.code, 'GATEWAY_NOT_FOUND')
    t.equal(error.message.includes('must begin with the name of a target'), !path.startsWith('/-/'), path)
  }
  t.equal(emulator.received.length, 0)
})

t.test('a target without a token neither affects the others nor blocks a change of settings', async (t) => {
  const withBroken = (credential: object): { targets: object[] } => ({
    targets: [
      { name: 'sales', url: 'https://contoso.crm4.dynamics.com', credential },
      {
        name: 'broken',
        url: 'https://fabrikam.crm4.dynamics.com',
        credential: { ...credential, clientId: '00000000-0000-4000-8000-00000000dead' },
      },
    ],
  })
  const gateway = await gatewayWithFile(t, withBroken)
  const { url } = gateway
  await until(async () => (await fetch(`${url}/-/readyz`)).status === 200)

  t.equal((await fetch(`${url}/sales/WhoAmI`)).status, 200)
  t.equal((await fetch(`${url}/broken/WhoAmI`)).status, 502)
  t.match(await (await fetch(`${url}/-/readyz`)).json(), { tokens: { sales: 'fresh', broken: 'none' } })
})

t.test('decides whether a new gateway may replace the running one', async (t) => {
  const may = (current: Record<string, TokenStatus>, next: Record<string, TokenStatus>): boolean =>
    mayReplace(new Map(Object.entries(current)), new Map(Object.entries(next)))

  t.equal(may({ a: 'valid' }, { a: 'valid' }), true)
  t.equal(may({ a: 'valid' }, { a: 'failed' }), false, 'a target would lose its token')
  t.equal(may({ a: 'valid' }, { a: 'valid', b: 'pending' }), false, 'not yet')
  t.equal(may({ a: 'valid' }, { a: 'valid', b: 'failed' }), true, 'a new target fails alone')
  t.equal(may({ a: 'valid', b: 'failed' }, { a: 'valid', b: 'failed' }), true, 'a target that failed before')
  t.equal(may({ a: 'valid', b: 'valid' }, { a: 'valid' }), true, 'a target was removed')
  t.equal(may({ a: 'failed' }, { a: 'failed' }), false, 'no improvement')
  t.equal(may({ a: 'valid' }, { b: 'failed' }), false)
})
