import t from 'tap'

import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'

t.test('paths outside the Web API get 404 with the right form, and nothing is sent', async (t) => {
  const gateway = await gatewayFor(t)
  const { url, emulator } = gateway

  for (const path of [
    '/api/data/accounts',
    '/api/data/9.2/accounts',
    '/API/data/v9.2/accounts?$top=1',
    '/XRMServices/2011/Organization.svc/web',
  ]) {
    const response = await fetch(`${url}${path}`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })
    t.equal(response.status, 404, path)
    t.match(await response.json(), {
      error: { code: 'GATEWAY_NOT_FOUND', message: /write \/api\/data\/v9\.2\/accounts, or \/accounts alone\.$/ },
    })
    t.match(gateway.lines.filter(({ msg }) => msg === 'request').at(-1), {
      id: response.headers.get('x-request-id'),
      status: 404,
      code: 'GATEWAY_NOT_FOUND',
    })
  }
  t.equal(emulator.received.length, 0)
  t.equal((await fetch(`${url}/api/data/v9.2/accounts`)).status, 200)
  t.match(await (await fetch(`${url}/-/nothing`)).json(), {
    error: { message: 'There is nothing at this address.' },
  })
})

t.test("below a target's prefix too", async (t) => {
  const { url } = await gatewayWithFile(t, (credential) => ({
    targets: [{ name: 'sales', url: 'https://contoso.crm4.dynamics.com', credential }],
  }))

  t.match(await (await fetch(`${url}/sales/api/data/accounts`)).json(), { error: { code: 'GATEWAY_NOT_FOUND' } })
  t.equal((await fetch(`${url}/sales/accounts`)).status, 200)
})
