import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'

import t from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { KNOWS_QUERY } from '../../src/server/caller-methods.ts'
import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'
import { METHODS_OF_QUERIES, sendQuery } from '../support/queries.ts'
import { rawRequest, requestOf } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const PLAIN = { 'content-type': 'text/plain' }

for (const method of METHODS_OF_QUERIES) {
  t.test(`${method} with a query in its body is executed as a GET with that query`, async (t) => {
    const fixture = await gatewayFor(t)
    const { url, emulator } = fixture
    const lines = (): Record<string, unknown>[] => fixture.lines

    const plain = await sendQuery(method, `${url}/accounts`, '$select=name&$top=2', { ...PLAIN, 'x-mine': '1' })
    t.equal(plain.status, 200)
    t.equal((JSON.parse(plain.text) as { value: unknown[] }).value.length, 2)
    const sent = emulator.received.at(-1)!
    t.match(sent, { method: 'GET', url: '/api/data/v9.2/accounts?$select=name&$top=2', bodyLength: 0 })
    t.equal(sent.headers['x-mine'], '1')
    t.notOk(sent.headers['content-type'])
    t.notOk(sent.headers['content-length'])
    t.match(
      await (await fetch(`${url}/-/metrics`)).text(),
      `gateway_requests_total{target="dynamics",method="${method}",status="200"`,
    )
    await until(() => lines().some((line) => line['method'] === method && line['entitySet'] === 'accounts'))

    await sendQuery(method, `${url}/api/data/v9.1/accounts?$top=1`, '%24filter=name+ne+%27a%2Bb%27&$select=name', FORM)
    t.equal(
      emulator.received.at(-1)!.url,
      '/api/data/v9.1/accounts?$top=1&%24filter=name%20ne%20%27a%2Bb%27&$select=name',
      'its options are appended to those of the URL',
    )
    await sendQuery(method, `${url}/accounts?$top=1`, '')
    t.equal(emulator.received.at(-1)!.url, '/api/data/v9.2/accounts?$top=1')
    await sendQuery(method, `${url}/accounts`, undefined)
    t.equal(emulator.received.at(-1)!.url, '/api/data/v9.2/accounts')
    await sendQuery(method, `${url}/accounts`, `$filter=x%20eq%201&$id=${url}/contacts(1)`)
    t.match(emulator.received.at(-1)!.url, `$id=${emulator.environment}/api/data/v9.2/contacts(1)`)
  })

  t.test(`${method}: a query too long for a URL is sent as a long GET`, async (t) => {
    const { url, emulator } = await gatewayFor(t)
    const query = (characters: number): string => `$select=name&$filter=name%20ne%20%27${'x'.repeat(characters)}%27`

    const long = await sendQuery(method, `${url}/accounts`, query(60_000))
    t.equal(long.status, 200)
    t.match(JSON.parse(long.text), { value: [{ name: String }] })
    t.match(emulator.received.at(-1)!.url, '/$batch')

    const chunked = { ...PLAIN, 'transfer-encoding': 'chunked' }
    for (const [characters, headers] of [
      [65_500, PLAIN],
      [65_600, PLAIN],
      [65_500, chunked],
      [200_000, chunked],
    ] as const) {
      const longer = await sendQuery(method, `${url}/accounts`, query(characters), headers)
      t.equal(longer.status, 414)
      t.match(longer.text, /GATEWAY_ADDRESS_TOO_LONG.+Split it/)
    }
  })

  t.test(`${method}: a malformed query is refused, and nothing is sent`, async (t) => {
    const { url, emulator } = await gatewayFor(t)
    for (const [body, headers, status, code] of [
      ['$top=1', {}, 415, 'GATEWAY_QUERY_TYPE_UNSUPPORTED'],
      ['$top=1', { 'content-type': 'application/json' }, 415, 'GATEWAY_QUERY_TYPE_UNSUPPORTED'],
      ['$top=1', { ...PLAIN, 'content-encoding': 'gzip' }, 415, 'GATEWAY_QUERY_TYPE_UNSUPPORTED'],
      ['{"top":1}', PLAIN, 400, 'GATEWAY_BAD_QUERY'],
      ['$filter=name eq 1', PLAIN, 400, 'GATEWAY_BAD_QUERY'],
    ] as const) {
      const answer = await sendQuery(method, `${url}/accounts`, body, headers)
      t.equal(answer.status, status)
      t.match(answer.text, code)
      t.equal(answer.headers['accept-query'], 'application/x-www-form-urlencoded, text/plain')
    }
    t.notOk(emulator.received.some(({ url }) => url.includes('accounts')))
  })
}

t.test('a query in the body counts as a read for rules, audit and retries', async (t) => {
  for (const method of METHODS_OF_QUERIES) {
    const audit = join(t.testdir(), 'audit.log')
    const fixture = await gatewayWithFile(t, (credential) => ({
      targets: [{ name: 'crm', url: 'https://contoso.crm4.dynamics.com', credential }],
      auditLog: audit,
      callers: [
        { name: 'reader', keys: [keyHash('reader')], rules: ['read-only'] },
        { name: 'accounts', keys: [keyHash('accounts')], rules: ['allow GET accounts'] },
        { name: 'dry', keys: [keyHash('dry')], rules: ['allow GET accounts'], dryRun: true },
        { name: 'writer', keys: [keyHash('writer')], rules: ['allow POST accounts'] },
      ],
    }))
    const { url, emulator } = fixture
    const send = async (caller: string, query: string, path = 'crm/accounts'): Promise<number> =>
      (await sendQuery(method, `${url}/${path}`, query, { ...PLAIN, 'x-api-key': caller })).status

    t.equal(await send('reader', '$top=1'), 200)
    t.equal(await send('accounts', '$select=name'), 200)
    t.equal(await send('accounts', '$expand=primarycontactid'), 403, 'rules see the query in the body')
    t.equal(await send('accounts', '%24expand=primarycontactid'), 403)
    t.equal(await send('accounts', '$top=1', 'crm/contacts'), 403)
    t.equal(await send('writer', '$top=1'), 403)
    const sent = emulator.received.length
    t.equal(await send('dry', '$expand=primarycontactid($select=fullname)&$top=1'), 200)
    t.equal(emulator.received.length, sent + 1)
    t.match(
      fixture.lines.findLast(({ msg }) => /dry run/.test(String(msg))),
      { objection: /This caller may not GET primarycontactid/ },
    )
    emulator.faults.dataverse.push({ kind: 'reset', path: 'accounts' })
    t.equal(await send('reader', '$top=1'), 200, 'sent again after a break')
    t.equal(readFileSync(audit, 'utf8'), '', 'no line in the audit log')
  }
})

t.test('a truncated body is not taken as a query', async (t) => {
  const fixture = await gatewayFor(t)
  const socket = connect(Number(new URL(fixture.url).port), '127.0.0.1')
  socket.write(
    'POST /accounts/$query HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n' +
      'Expect: 100-continue\r\n\r\n',
  )
  // Now the gateway reads the body.
  await once(socket, 'data')
  socket.write('$top')
  socket.destroy()

  await until(() => fixture.lines.some(({ entitySet }) => entitySet === 'accounts'))
  const line = fixture.lines.find(({ entitySet }) => entitySet === 'accounts')
  t.match(line, { attempts: 0 })
  // Either event may be seen first, so the caller may or may not still be connected.
  t.ok([400, 499].includes(Number(line?.['status'])))
})

t.test('100 Continue is sent once', async (t) => {
  const { url } = await gatewayFor(t)
  const head = requestOf(
    'POST /accounts/$query',
    'Content-Type: text/plain',
    'Content-Length: 6',
    'Expect: 100-continue',
  )

  const { head: answered } = await rawRequest(portOf(url), `${head}$top=1`)

  t.match(answered, /^HTTP\/1\.1 100 Continue$/)
})

t.test('OPTIONS and Allow announce QUERY if Node supports it', async (t) => {
  const { url } = await gatewayFor(t, { ALLOWED_ORIGINS: 'https://app.contoso.com' })

  const options = await fetch(`${url}/accounts`, { method: 'OPTIONS' })
  const unknown = await rawRequest(portOf(url), requestOf('PROPFIND /accounts'))
  const preflight = await fetch(`${url}/accounts`, {
    method: 'OPTIONS',
    headers: { origin: 'https://app.contoso.com', 'access-control-request-method': 'QUERY' },
  })

  t.equal(options.headers.get('accept-query'), KNOWS_QUERY ? 'application/x-www-form-urlencoded, text/plain' : null)
  t.equal(/^allow: .*QUERY/im.test(unknown.head), KNOWS_QUERY)
  t.equal(/QUERY/.test(preflight.headers.get('access-control-allow-methods')!), KNOWS_QUERY)
})

t.test('without QUERY support in Node, the error names the alternative', async (t) => {
  const { url } = await gatewayFor(t)

  const answer = await rawRequest(
    portOf(url),
    `${requestOf('QUERY /accounts', 'Content-Type: text/plain', 'Content-Length: 6')}$top=1`,
  )

  if (KNOWS_QUERY) t.equal(answer.status, 200)
  else {
    t.equal(answer.status, 405)
    t.match(answer.body, /a Node that does not know the method QUERY\. Send the same body as a POST, with \/\$query/)
  }
})

function portOf(url: string): { readonly port: number } {
  return { port: Number(new URL(url).port) }
}
