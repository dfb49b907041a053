import { gzipSync } from 'node:zlib'

import t from 'tap'

import { gatewayFor } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

const PAGE = '<!DOCTYPE html><html><body><form action="/login">Sign in</form></body></html>'
const HTML = { 'content-type': 'text/html; charset=utf-8' }

// A captive portal or a proxy responds with 200 and its own page, which a caller would take for data.
for (const [name, path, method] of [
  ['a query', '/accounts?$top=1', 'GET'],
  ['a create', '/accounts', 'POST'],
  ['a HEAD', '/accounts', 'HEAD'],
  ['the service document', '/', 'GET'],
  ['$metadata', '/$metadata', 'GET'],
  ['a name that only looks like a file', '/accounts?$filter=name%20eq%20%27x/$value%27', 'GET'],
] as const) {
  t.test(`an HTML page in place of JSON is a 502: ${name}`, async (t) => {
    const gateway = await gatewayFor(t)
    const { url, emulator } = gateway
    // The gateway itself may request schema changes at the same time.
    const only = path === '/' ? '' : path.slice(1).split('?')[0]!
    emulator.faults.dataverse.push({ kind: 'answer', path: only, status: 200, headers: HTML, body: PAGE })

    const response = await fetch(url + path, { method, ...(method === 'POST' ? { body: '{}' } : {}) })

    t.equal(response.status, 502)
    const body = await response.text()
    if (method !== 'HEAD') t.match(JSON.parse(body), { error: { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' } })
    t.notMatch(body, /html|form/)
    t.match(await lineOf(gateway, 'GATEWAY_DYNAMICS_ANSWER_INVALID'), {
      causes: [/answered 200 in place of Dynamics, with a page \(text\/html/],
    })
    t.equal((await fetch(`${url}/WhoAmI`)).status, 200, 'the next request is not affected')
  })
}

// Web filters send their pages with any content type, or without one.
for (const [name, headers, body] of [
  ['as JSON', { 'content-type': 'application/json; odata.metadata=minimal' }, PAGE],
  ['as plain text', { 'content-type': 'text/plain' }, `\uFEFF\r\n \t${PAGE}`],
  ['as plain text in gzip', { 'content-type': 'text/plain', 'content-encoding': 'gzip' }, gzipSync(PAGE)],
  ['as JSON in gzip', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, gzipSync(PAGE)],
  ['as nothing', {}, PAGE],
  ['as JSON, and is long', { 'content-type': 'application/json' }, PAGE.padEnd(200_000, ' ')],
] as const) {
  t.test(`a page that is labelled ${name} is a 502`, async (t) => {
    const gateway = await gatewayFor(t)
    const { url, emulator } = gateway
    emulator.faults.dataverse.push({ kind: 'answer', status: 200, headers, body })

    const response = await fetch(`${url}/accounts?$top=1`)

    t.equal(response.status, 502)
    t.match(await response.json(), { error: { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' } })
    t.match(await lineOf(gateway, 'GATEWAY_DYNAMICS_ANSWER_INVALID'), { causes: [/with a page \(/] })
    t.equal((await fetch(`${url}/WhoAmI`)).status, 200, 'the next request is not affected')
  })
}

t.test('plain text and JSON pass', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  for (const [type, body] of [
    ['text/plain', '42'],
    ['application/json', ' {"value":"<"}'],
    ['application/json', ''],
  ] as const) {
    emulator.faults.dataverse.push({ kind: 'answer', status: 200, headers: { 'content-type': type }, body })
    const response = await fetch(`${url}/accounts/$count`)
    t.equal(response.status, 200)
    t.equal(await response.text(), body)
  }
})

t.test('a body that is not the gzip it claims to be is a 502', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
  emulator.faults.dataverse.push({ kind: 'answer', status: 200, headers, body: '{"value":[]}' })

  const response = await fetch(`${url}/accounts?$top=1`)

  t.equal(response.status, 502)
  t.match(await response.json(), { error: { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' } })
})

// A browser would prompt for the password of a proxy that it does not use.
for (const status of [407, 511]) {
  t.test(`a ${status}, which only network devices send, is a 502`, async (t) => {
    const gateway = await gatewayFor(t)
    const { url, emulator } = gateway
    const headers = { ...HTML, 'proxy-authenticate': 'Basic realm="proxy"' }
    emulator.faults.dataverse.always({ kind: 'answer', status, headers, body: PAGE })

    const response = await fetch(`${url}/accounts`)

    t.equal(response.status, 502)
    t.equal(response.headers.get('proxy-authenticate'), null)
    t.match(await lineOf(gateway, 'GATEWAY_DYNAMICS_ANSWER_INVALID'), { causes: [/asks for a sign-in to the network/] })
  })
}

t.test('an HTML page in place of a $batch response is a 502', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  emulator.faults.dataverse.push({ kind: 'answer', status: 200, headers: HTML, body: PAGE })

  const response = await fetch(`${url}/$batch`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/mixed; boundary=b' },
    body:
      '--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n' +
      'GET /api/data/v9.2/WhoAmI HTTP/1.1\r\n\r\n\r\n--b--\r\n',
  })

  t.equal(response.status, 502)
})

for (const location of [
  'https://login.microsoftonline.com/common/oauth2/authorize?client_id=1',
  'https://filter.test/login?back=1',
  '/signin.aspx',
]) {
  t.test(`a redirect to a sign-in page is a 502: ${location}`, async (t) => {
    const gateway = await gatewayFor(t)
    const { url, emulator } = gateway
    emulator.faults.dataverse.push({ kind: 'answer', status: 302, headers: { location }, body: '' })

    const response = await fetch(`${url}/accounts`, { redirect: 'manual' })

    t.equal(response.status, 502)
    t.match(await response.json(), { error: { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' } })
    t.match(await lineOf(gateway, 'GATEWAY_DYNAMICS_ANSWER_INVALID'), { causes: [/a redirect/] })
  })
}

t.test('an HTML file of a file column passes', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  for (const [path, headers] of [
    ['/webresourceset(1)/content/$value', HTML],
    ['/accounts(1)/sample_file/$value', HTML],
    ['/accounts(1)/sample_file/%24value', HTML],
    ['/accounts(1)/sample_file/$value?size=full', HTML],
    ['/accounts(1)/sample_file/$value', { 'content-type': 'application/json' }],
    ['/accounts(1)/sample_file/$value', { 'content-type': 'text/plain' }],
    ['/Image/download.aspx?Entity=account', HTML],
    ['/sample_Export()', { ...HTML, 'content-disposition': 'attachment; filename=a.html' }],
  ] as const) {
    emulator.faults.dataverse.push({ kind: 'answer', status: 200, headers, body: PAGE })
    const response = await fetch(url + path)
    t.equal(response.status, 200, path)
    t.equal(await response.text(), PAGE)
  }
})

t.test('errors and other redirects pass, whatever their source', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  for (const status of [403, 404, 500]) {
    emulator.faults.dataverse.push({ kind: 'answer', status, headers: HTML, body: PAGE })
    t.equal((await fetch(`${url}/accounts`, { method: 'POST', body: '{}' })).status, status)
  }
  emulator.faults.dataverse.push(
    { kind: 'answer', status: 302, headers: { location: '/api/data/v9.2/new_logins' }, body: '' },
    { kind: 'answer', status: 304, headers: HTML },
  )
  t.equal((await fetch(`${url}/accounts`, { redirect: 'manual' })).status, 302)
  t.equal((await fetch(`${url}/accounts`)).status, 304)
})

t.test('a 403 of a web filter is logged as such', async (t) => {
  const gateway = await gatewayFor(t)
  const { url, emulator } = gateway
  emulator.faults.dataverse.always({ kind: 'html', status: 403 })

  for (let count = 0; count < 3; count++) t.equal((await fetch(`${url}/accounts`)).status, 403)

  const explained = () => gateway.lines.filter(({ msg }) => String(msg).includes('in place of Dynamics'))
  await until(() => gateway.lines.filter(({ status, ms }) => status === 403 && ms !== undefined).length === 3)
  const warnings = explained()
  t.equal(warnings.length, 1)
  t.notMatch(warnings[0]?.['msg'], /privilege|role/)
})

t.test('an HTML page is not taken for the result of a user lookup', async (t) => {
  const gateway = await gatewayFor(t)
  const { url, emulator } = gateway
  emulator.faults.dataverse.push({
    kind: 'answer',
    path: 'internalemailaddress',
    status: 200,
    headers: HTML,
    body: PAGE,
  })

  const response = await fetch(`${url}/accounts`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })

  t.equal(response.status, 502)
  t.match(await lineOf(gateway, 'GATEWAY_USER_LOOKUP_FAILED'), { causes: [/in place of Dynamics/] })
})

/** The log's line of the request that was answered with `code`. */
async function lineOf(gateway: Fixture, code: string): Promise<Record<string, unknown> | undefined> {
  const found = () => gateway.lines.find((line) => line['code'] === code)
  await until(() => found() !== undefined)
  return found()
}
