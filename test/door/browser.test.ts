import type { AddressInfo } from 'node:net'

import t from 'tap'

import { callersFixture } from '../support/callers-fixture.ts'
import { get, rawRequest, requestOf } from '../support/raw-http.ts'

t.test('a page of another origin cannot drive the gateway', async (t) => {
  // Cross-site request forgery: a form, an image or a fetch of any page that is open on an internal desktop.
  const { server, passed } = await callersFixture(t)

  for (const lines of [
    ['Origin: https://evil.example'],
    ['Origin: null'],
    ['Origin:'],
    ['Origin: http://localhost:3000'],
    ['Origin: http://localhost.evil.example'],
    ['Origin: https://localhost'],
    ['Origin: http://localhost', 'Origin: https://evil.example'],
    ['Origin: https://evil.example', 'Origin: http://localhost'],
    ['Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: same-site'],
    ['Sec-Fetch-Site: SAME-SITE'],
    ['Sec-Fetch-Site: none', 'Sec-Fetch-Site: cross-site'],
    ['Origin: http://localhost', 'Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site:'],
  ]) {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const answer = await rawRequest(server, requestOf(`${method} /accounts`, ...lines))
      t.match(answer, { status: 403, code: 'GATEWAY_ORIGIN_NOT_ALLOWED' }, `${method} ${lines.join(', ')}`)
      t.notMatch(answer.head, /access-control/i, 'no CORS response')
    }
  }
  t.same(passed, [])
})

t.test('an Origin cannot be hidden behind many other header lines', async (t) => {
  // Node 20 drops header lines beyond about a thousand, unless maxHeadersCount is set.
  const { server, passed } = await callersFixture(t)
  const padding = Array.from({ length: 3000 }, (_, index) => `a${index}: b`)

  t.match(await rawRequest(server, get('/accounts', ...padding, 'Origin: https://evil.example')), {
    status: 431,
    code: 'GATEWAY_HEAD_TOO_LARGE',
  })
  t.match(await rawRequest(server, get('/accounts', ...padding.slice(0, 97), 'Origin: https://evil.example')), {
    status: 403,
  })
  t.same(passed, [])
})

t.test("the gateway's own pages and URLs typed into the browser pass", async (t) => {
  const { server } = await callersFixture(t, { publicUrl: 'https://dynamics.contoso.com' })

  for (const lines of [
    [],
    ['Origin: http://localhost', 'Sec-Fetch-Site: same-origin'],
    ['Sec-Fetch-Site: none'],
    ['Origin: https://dynamics.contoso.com'],
    ['Host: LocalHost:81', 'Origin: http://localhost:81'],
  ])
    t.equal((await rawRequest(server, get('/accounts', ...lines))).status, 200, lines.join(', '))
})

t.test("Node's fetch passes, although it sends Sec-Fetch-Mode", async (t) => {
  const { server } = await callersFixture(t)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/accounts`

  t.equal((await fetch(url)).status, 200)
  t.equal(
    (await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })).status,
    200,
  )
})

t.test('only listed origins get CORS responses', async (t) => {
  const { server, passed } = await callersFixture(t, {
    allowedOrigins: ['https://app.contoso.com'],
    requiredHeader: 'x-gateway: true',
  })
  const preflight = (origin: string): ReturnType<typeof rawRequest> =>
    rawRequest(
      server,
      requestOf(
        'OPTIONS /accounts',
        `Origin: ${origin}`,
        'Access-Control-Request-Method: PATCH',
        'Access-Control-Request-Private-Network: true',
        'Sec-Fetch-Site: cross-site',
      ),
    )

  const allowed = await preflight('https://app.contoso.com')
  t.equal(allowed.status, 204)
  t.match(allowed.head, /access-control-allow-origin: https:\/\/app\.contoso\.com\r\n/i)
  t.match(allowed.head, /access-control-allow-methods: .*PATCH/i)
  t.match(allowed.head, /access-control-allow-headers: .*x-user-email.*x-gateway/i)
  t.match(allowed.head, /vary: Origin/i)
  t.notMatch(allowed.head, /private-network|credentials/i)

  const refused = await preflight('https://evil.example')
  t.equal(refused.status, 403)
  t.notMatch(refused.head, /access-control/i)
  t.match(refused.head, /vary: Origin/i)

  const request = await rawRequest(
    server,
    get('/accounts', 'Origin: https://app.contoso.com', 'Sec-Fetch-Site: cross-site', 'X-Gateway: true'),
  )
  t.equal(request.status, 200)
  t.match(request.head, /access-control-allow-origin: https:\/\/app\.contoso\.com/i)
  t.match(request.head, /access-control-expose-headers: .*OData-EntityId/i)
  t.equal(passed.length, 1, 'a preflight goes no further')
})

t.test('a header can be required that no page can add by itself', async (t) => {
  const withValue = await callersFixture(t, { requiredHeader: 'X-Gateway: true' })
  t.match(await rawRequest(withValue.server, get('/')), { status: 403, code: 'GATEWAY_ORIGIN_NOT_ALLOWED' })
  t.equal((await rawRequest(withValue.server, get('/', 'x-gateway: false'))).status, 403)
  t.equal((await rawRequest(withValue.server, get('/', 'x-gateway: true', 'x-gateway: true'))).status, 403)
  t.equal((await rawRequest(withValue.server, get('/', 'x-gateway: true'))).status, 200)

  const withName = await callersFixture(t, { requiredHeader: 'x-gateway' })
  t.equal((await rawRequest(withName.server, get('/'))).status, 403)
  t.equal((await rawRequest(withName.server, get('/', 'X-Gateway: anything'))).status, 200)
})
