import t from 'tap'

import { gatewayFor } from '../support/gateway-for.ts'
import { rawRequest, requestOf } from '../support/raw-http.ts'

const PATH = '/api/data/v9.2/accounts'

/** A query with at least `characters` characters that matches every account. */
function longQuery(characters: number): string {
  const start = '$select=name&$filter=name%20ne%20%27'
  return `${start}${'x'.repeat(characters - start.length - 3)}%27`
}

interface Page {
  readonly '@odata.context': string
  readonly '@odata.nextLink'?: string
  readonly value: readonly { readonly name: string; readonly accountid: string }[]
}

t.test('a GET that is too long for Dynamics is sent as a batch, and the response is that of the GET', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const short = (await (await fetch(`${url}/accounts?$select=name`)).json()) as Page
  const query = longQuery(65_536 - PATH.length - 1)

  const response = await fetch(`${url}/accounts?${query}`, {
    headers: { 'x-user-email': 'adele.vance@contoso.com', prefer: 'odata.include-annotations="*"' },
  })

  t.equal(response.status, 200)
  t.match(response.headers.get('content-type'), /^application\/json/)
  t.match(response.headers.get('preference-applied'), /include-annotations/)
  t.equal(response.headers.get('odata-version'), '4.0')
  t.ok(response.headers.get('x-ms-ratelimit-burst-remaining-xrm-requests'), 'headers of the service, too')
  const page = (await response.json()) as Page
  t.ok(page['@odata.context'].startsWith(`${url}/$metadata#accounts`))
  t.same(
    page.value.map(({ name }) => name),
    short.value.map(({ name }) => name),
  )
  const sent = emulator.received.at(-1)!
  t.match(sent, { method: 'POST', url: '/api/data/v9.2/$batch' })
  t.ok(sent.headers['callerobjectid'], 'the user is set on the batch')
  t.notMatch(sent.headers['prefer'], /./, 'and Prefer on the read')
  const body = sent.body.toString()
  t.ok(body.includes(`\r\nGET ${PATH}?${query} HTTP/1.1\r\n`))
  t.match(body.slice(-600), /\r\nprefer: odata\.include-annotations="\*"\r\n/i)
  t.notMatch(body.slice(-600), /callerobjectid|authorization|host:/i)
})

t.test('content headers of the GET are not sent with the batch', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  const response = await fetch(`${url}/accounts?${longQuery(40_000)}`, {
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip', 'content-language': 'en' },
  })

  t.equal(response.status, 200)
  await response.body!.cancel()
  const { headers, body } = emulator.received.at(-1)!
  t.match(headers['content-type'], /^multipart\/mixed; boundary=batch_[\w-]+$/)
  t.equal(headers['content-encoding'], undefined)
  t.notMatch(body.subarray(-300).toString(), /content-(?:encoding|language)|application\/json/i)
})

t.test('a short query is sent unchanged', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  const response = await fetch(`${url}/accounts?${longQuery(32_768 - PATH.length - 1)}`)

  t.equal(response.status, 200)
  await response.body!.cancel()
  t.equal(emulator.received.at(-1)!.method, 'GET')
})

t.test('a query longer than Dynamics accepts in any form gets 414 with a fix', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  const long = await fetch(`${url}/accounts?${longQuery(65_536 - PATH.length)}`)
  const longer = await fetch(`${url}/accounts?${longQuery(80_000)}`)
  const write = await fetch(`${url}/accounts?${longQuery(40_000)}`, { method: 'DELETE' })
  const image = await fetch(`${url}/Image/download.aspx?${longQuery(40_000)}`)

  for (const response of [long, longer]) {
    t.equal(response.status, 414)
    t.match(await response.json(), { error: { code: 'GATEWAY_ADDRESS_TOO_LONG', message: /Split it .+ or save it/ } })
  }
  for (const response of [write, image]) {
    t.equal(response.status, 414)
    t.match(await response.json(), { error: { code: 'GATEWAY_ADDRESS_TOO_LONG', message: /only reads of/ } })
  }
  t.notOk(emulator.received.some(({ url }) => url.includes('accounts') || url.includes('Image')))
})

t.test('other products do not accept longer URLs in any form', async (t) => {
  const { url, emulator } = await gatewayFor(t, { DYNAMICS_URL: 'https://contoso.operations.dynamics.com' })

  const response = await fetch(`${url}/Customers?${longQuery(40_000)}`)

  t.equal(response.status, 414)
  t.match(await response.json(), { error: { code: 'GATEWAY_ADDRESS_TOO_LONG', message: /only reads of/ } })
  t.equal(emulator.received.length, 0)
})

t.test('links to the next page contain the long query, and work through the gateway', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const headers = { prefer: 'odata.maxpagesize=20' }
  const all = (await (await fetch(`${url}/api/data/v9.2/accounts?$select=name`)).json()) as Page

  const found: string[] = []
  let pages = 0
  let next: string | undefined = `${url}/api/data/v9.2/accounts?${longQuery(40_000)}`
  while (next !== undefined) {
    t.ok(next.startsWith(`${url}/api/data/v9.2/accounts?`), 'in the form of the request')
    const page = (await (await fetch(next, { headers })).json()) as Page
    found.push(...page.value.map(({ accountid }) => accountid))
    next = page['@odata.nextLink']
    pages++
  }

  t.ok(pages > 1)
  t.same(
    found,
    all.value.map(({ accountid }) => accountid),
  )
  t.ok(emulator.received.every(({ url }) => !url.includes('accounts?$select=name&$filter')))
})

t.test('If-None-Match applies to the read: 304', async (t) => {
  const { url } = await gatewayFor(t)
  const [row] = ((await (await fetch(`${url}/accounts?$top=1`)).json()) as Page).value
  const address = `${url}/accounts(${row!.accountid})?$select=name${'&x=1'.repeat(9000)}`
  const first = await fetch(address)
  t.equal(first.status, 200)
  const etag = first.headers.get('etag')!
  t.match(etag, /^W\//)
  await first.body!.cancel()

  const second = await fetch(address, { headers: { 'if-none-match': etag } })

  t.equal(second.status, 304)
  t.equal(await second.text(), '')
})

t.test('HEAD has the head alone, also of an error of the batch', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const address = `${url}/accounts?${longQuery(40_000)}`

  const response = await fetch(address, { method: 'HEAD' })

  t.equal(response.status, 200)
  t.match(response.headers.get('content-type'), /^application\/json/)
  t.equal(await response.text(), '')

  const body = '{"error":{"code":"0x80040220","message":"no privilege"}}'
  emulator.faults.dataverse.push({ kind: 'answer', status: 403, path: '$batch', body })
  const refused = await rawRequest(
    { port: Number(new URL(url).port) },
    requestOf(`HEAD /accounts?${longQuery(40_000)}`),
  )
  t.equal(refused.status, 403)
  t.equal(refused.body, '')
})

t.test('errors of the read and of the batch are passed on unchanged', async (t) => {
  const { url, emulator } = await gatewayFor(t, { MAX_RETRY_WAIT: '0s' })
  const long = `&x=${'y'.repeat(40_000)}`

  const read = await fetch(`${url}/accounts?$select=nothing${long}`)
  t.equal(read.status, 400)
  t.match(await read.json(), { error: { code: '0x80060888' } })

  emulator.faults.dataverse.push({ kind: 'throttle', limit: 'count', retryAfter: 7, inBatch: true })
  const inside = await fetch(`${url}/accounts?$select=name${long}`)
  t.equal(inside.status, 429)
  t.equal(inside.headers.get('retry-after'), '7')
  t.match(await inside.json(), { error: { code: '0x80072322' } })
})

t.test('throttling, broken connections and a refused token are invisible to the caller', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const address = `${url}/accounts?${longQuery(40_000)}`
  t.equal((await fetch(address)).status, 200)

  emulator.faults.dataverse.push({ kind: 'throttle', limit: 'count', retryAfter: 1 })
  t.equal((await fetch(address)).status, 200, '429 for the batch')
  emulator.faults.dataverse.push({ kind: 'throttle', limit: 'count', retryAfter: 1, inBatch: true })
  t.equal((await fetch(address)).status, 200, '429 in the part')
  emulator.faults.dataverse.push({ kind: 'answer', status: 503, inBatch: true })
  t.equal((await fetch(address)).status, 200, '503 in the part')
  emulator.faults.dataverse.push({ kind: 'reset' })
  t.equal((await fetch(address)).status, 200, 'a broken connection')
  emulator.revokeTokens()
  t.equal((await fetch(address)).status, 200, 'a token that was revoked')
})
