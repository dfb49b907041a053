import t from 'tap'

import { gatewayFor } from '../support/gateway-for.ts'
import { get, rawRequest } from '../support/raw-http.ts'

t.test('forwards a request without credentials to the Web API', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  const response = await fetch(`${url}/accounts?$select=name&$top=3`)

  t.equal(response.status, 200)
  const { value } = (await response.json()) as { value: { name: string }[] }
  t.equal(value.length, 3)
  t.equal(emulator.received.at(-1)?.url, '/api/data/v9.2/accounts?$select=name&$top=3')
})

t.test('acts as the user whose e-mail address is in the request', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  const response = await fetch(`${url}/WhoAmI`, { headers: { 'x-user-email': 'Adele.Vance@contoso.com' } })

  const { UserId } = (await response.json()) as { UserId: string }
  t.equal(
    UserId,
    emulator
      .rows('systemusers')
      .find(({ internalemailaddress }) => internalemailaddress === 'adele.vance@contoso.com')?.['systemuserid'],
  )
  const sent = emulator.received.at(-1)!
  t.notOk(
    sent.rawHeaders.some((value) => /adele/i.test(value)),
    'the address itself is not forwarded',
  )
})

for (const [address, status, code] of [
  ['nobody@contoso.com', 403, 'GATEWAY_USER_UNKNOWN'],
  ['nestor.wilke@contoso.com', 403, 'GATEWAY_USER_DISABLED'],
  ['megan.bowen@contoso.com', 403, 'GATEWAY_USER_AMBIGUOUS'],
  ['', 400, 'GATEWAY_BAD_USER_EMAIL'],
  ['a@contoso.com, b@contoso.com', 400, 'GATEWAY_BAD_USER_EMAIL'],
  ['adele.vance', 400, 'GATEWAY_BAD_USER_EMAIL'],
  ["x' or internalemailaddress eq 'adele.vance@contoso.com", 400, 'GATEWAY_BAD_USER_EMAIL'],
  [`${'a'.repeat(100)}@contoso.com`, 400, 'GATEWAY_BAD_USER_EMAIL'],
] as const) {
  t.test(`sends nothing for the user "${address.slice(0, 40)}"`, async (t) => {
    const { url, emulator } = await gatewayFor(t)

    const response = await fetch(`${url}/accounts`, { headers: { 'x-user-email': address } })

    t.equal(response.status, status)
    t.match(await response.json(), { error: { code } })
    t.notOk(emulator.received.some((request) => request.url.includes('/accounts')))
  })
}

t.test('follows links to the last page through the gateway', async (t) => {
  const { url } = await gatewayFor(t)

  let next: string | undefined = `${url}/contacts?$select=fullname`
  let rows = 0
  while (next !== undefined) {
    t.ok(next.startsWith(`${url}/`))
    const response: Response = await fetch(next, { headers: { prefer: 'odata.maxpagesize=30' } })
    const page = (await response.json()) as { value: unknown[]; '@odata.nextLink'?: string }
    rows += page.value.length
    next = page['@odata.nextLink']
  }

  t.ok(rows >= 100)
})

t.test('two hundred first requests cause one token request', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  const statuses = await Promise.all(Array.from({ length: 200 }, async () => (await fetch(`${url}/WhoAmI`)).status))

  t.same(new Set(statuses), new Set([200]))
  t.equal(emulator.tokenRequests.length, 1)
})

t.test("never logs a token, a secret or a person's address", async (t) => {
  const { url, emulator, log } = await gatewayFor(t, { LOG_LEVEL: 'trace' })

  await fetch(`${url}/accounts?$filter=name eq 'confidential'`, {
    headers: { 'x-user-email': 'adele.vance@contoso.com', cookie: 'biscuit=1' },
  })
  await fetch(`${url}/contacts(emailaddress1='adele.vance@contoso.com')`)

  t.match(log(), /"entitySet":"accounts"/)
  t.notMatch(log(), new RegExp(`eyJ|adele|confidential|biscuit|${emulator.clientSecret}`))
})

t.test('the log, not the response, tells how to fix a set-up that Dynamics refuses', async (t) => {
  const { url, emulator, log } = await gatewayFor(t)
  const body = '{"error":{"code":"0x80072560","message":"The user is not a member of the organization."}}'
  emulator.faults.dataverse.push({
    kind: 'answer',
    status: 403,
    body,
    headers: { 'content-type': 'application/json' },
    times: 3,
  })

  const answers = [await fetch(`${url}/accounts`), await fetch(`${url}/accounts`), await fetch(`${url}/contacts`)]

  for (const answer of answers) t.equal(await answer.text(), body)
  t.equal(log().match(/has no application user in this environment/g)?.length, 1, 'once, not for every request')
})

t.test('the status page shows the state of each environment', async (t) => {
  const { url } = await gatewayFor(t)
  await fetch(`${url}/WhoAmI`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })

  const page = await fetch(`${url}/-/`)
  const text = await page.text()

  t.equal(page.status, 200)
  t.match(page.headers.get('content-type'), /^text\/html/)
  t.match(text, /https:\/\/contoso\.crm4\.dynamics\.com.*valid, \d+ min left.*healthy.*0 of \d+ slots.*1 remembered/s)
  t.notMatch(text, /adele|eyJ|<script/)
  t.equal((await fetch(`${url}/-/`, { headers: { origin: 'https://evil.example' } })).status, 403)
})

t.test('answers probes with any Host, and refuses pages on a rebound name', async (t) => {
  const { url } = await gatewayFor(t)
  const listener = { host: '127.0.0.1', port: Number(new URL(url).port) }

  for (const path of ['/-/livez', '/-/readyz', '/-/metrics', '/-/']) {
    t.equal((await rawRequest(listener, get(path, 'Host: evil.example'))).status, 421, path)
  }
  t.equal((await rawRequest(listener, 'GET /-/livez HTTP/1.0\r\n\r\n')).status, 200)
})

t.test('a path below /-/ with a dot segment is 400, not 404', async (t) => {
  const { url } = await gatewayFor(t)
  const to = { host: '127.0.0.1', port: Number(new URL(url).port) }

  for (const path of ['/-/../accounts', '/-/%2e%2e/accounts']) {
    t.equal((await rawRequest(to, get(path))).status, 400, path)
  }
  t.equal((await rawRequest(to, get('/-/nothing'))).status, 404)
})

t.test('answers probes to HEAD and GET alike', async (t) => {
  const { url } = await gatewayFor(t)

  const { status } = await fetch(`${url}/-/livez`, { method: 'HEAD' })

  t.equal(status, 200)
})
