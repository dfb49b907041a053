import { mkdtempSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { get, rawRequest } from '../support/raw-http.ts'

const USER = { 'x-user-email': 'adele.vance@contoso.com' }

/** A gateway with an inspector, and its link. */
async function inspected(t: Test, variables: NodeJS.ProcessEnv = {}): Promise<Inspected> {
  return withLink(await gatewayFor(t, { INSPECTOR: 'true', ...variables }))
}

interface Inspected extends Fixture {
  readonly link: string
  readonly list: () => Promise<Shown[]>
}

interface Shown {
  readonly [name: string]: unknown
  readonly facts: readonly (readonly [string, string])[]
}

function withLink(fixture: Fixture): Inspected {
  const link = fixture.running.inspectorLink!
  return {
    ...fixture,
    link,
    list: async () => {
      const { requests } = (await (await fetch(`${link}&format=json`)).json()) as { requests: Shown[] }
      return requests
    },
  }
}

/** The status of a request with exactly these header lines. */
function statusOf(url: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { method, headers }, (response) => {
      response.destroy()
      resolve(response.statusCode!)
    })
      .on('error', reject)
      .end()
  })
}

async function cookieOf(link: string): Promise<string> {
  const response = await fetch(link, { redirect: 'manual' })
  t.equal(response.status, 303)
  t.equal(response.headers.get('location'), '/-/inspector')
  const cookie = response.headers.get('set-cookie')!
  t.match(cookie, /^inspector-[0-9a-f]{12}=[\w-]{43}; Path=\/-\/inspector; HttpOnly; SameSite=Strict$/)
  return cookie.split(';')[0]!
}

t.test('the inspector opens with the printed link, and a cookie then replaces the token', async (t) => {
  const { url, link, log } = await inspected(t)
  t.match(new URL(link).searchParams.get('token'), /^[\w-]{43}$/)
  const cookie = await cookieOf(link)
  for (const path of ['', '/script', '/style']) {
    const response = await fetch(`${url}/-/inspector${path}`, { headers: { cookie } })
    t.equal(response.status, 200)
    t.match(response.headers.get('content-security-policy'), /default-src 'none'; script-src 'self'/)
    t.notMatch(await response.text(), new URL(link).searchParams.get('token')!)
  }
  t.notMatch(log(), new URL(link).searchParams.get('token')!, 'the token is not in the log')
})

t.test('without token, host and origin, the inspector responds like an unknown path', async (t) => {
  const { url, link } = await inspected(t)
  const cookie = await cookieOf(link)
  const { port } = new URL(url)
  const nothing = await (await fetch(`${url}/-/inspektor`)).text()

  for (const path of [
    '',
    '/script',
    '/style',
    '/events',
    '/requests/1',
    '?token=',
    '?token=x&token=y',
    '?format=json',
  ]) {
    const response = await fetch(`${url}/-/inspector${path}`)
    t.equal(response.status, 404, path)
    t.equal(await response.text(), nothing)
  }
  for (const [why, headers] of Object.entries({
    'a rebound name': { cookie, host: `evil.example:${port}` },
    'no readable name': { cookie, host: 'a b' },
    'a page of another origin': { cookie, origin: 'https://evil.example' },
    'a page of another port': { cookie, origin: 'http://127.0.0.1:1', 'sec-fetch-site': 'same-site' },
    'a link on another page': { cookie, 'sec-fetch-site': 'cross-site' },
    'a proxy that stands for somebody else': { cookie, 'x-forwarded-for': '203.0.113.7' },
    'another cookie': { cookie: `${cookie}x` },
  })) {
    t.equal(await statusOf(`${url}/-/inspector`, headers), 404, why)
    t.equal(await statusOf(`${url}/-/inspector/events`, headers), 404, why)
    t.equal(await statusOf(`${url}/-/inspector/capture/on`, { ...headers, 'x-inspector': '1' }, 'POST'), 404, why)
  }
  t.equal(await statusOf(`${url}/-/inspector/clear`, { cookie }, 'POST'), 400, "a write needs the inspector's header")
})

t.test('without INSPECTOR there is no inspector', async (t) => {
  const { url, running } = await gatewayFor(t)
  t.equal(running.inspectorLink, undefined)
  t.equal((await fetch(`${url}/-/inspector`)).status, 404)
})

const OUTSIDE = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.internal === false && one.family === 'IPv4')?.address

t.test('from another machine, only a caller with inspect: true and the token can open it', async (t) => {
  const fixture = await gatewayWithFile(t, (credential) => ({
    host: '0.0.0.0',
    inspector: true,
    callers: [
      { name: 'operator', keys: [keyHash('key-of-operator')], inspect: true },
      { name: 'billing', keys: [keyHash('key-of-billing')] },
    ],
    targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
  }))
  const { link } = withLink(fixture)
  // Forwarded by a proxy, so it counts as another machine.
  const passed = { 'x-forwarded-for': '203.0.113.7' }
  const status = async (headers: Record<string, string>, to = link): Promise<number> =>
    (await fetch(to, { headers, redirect: 'manual' })).status
  const operator = { 'x-api-key': 'key-of-operator' }

  t.equal(await status({}), 303, 'this machine')
  t.equal(await status(passed), 404)
  t.equal(await status({ ...passed, 'x-api-key': 'key-of-billing' }), 404)
  t.equal(await status({ ...passed, 'x-api-key': 'key-of-nobody' }), 404)
  t.equal(await status({ ...passed, ...operator }), 303)
  t.equal(await status({ ...passed, ...operator }, link.replace(/token=.*/, '')), 404)
  if (OUTSIDE === undefined) return
  t.equal(await status({}, link.replace('127.0.0.1', OUTSIDE)), 404)
  t.equal(await status(operator, link.replace('127.0.0.1', OUTSIDE)), 303)
})

t.test('while the token of a caller cannot be checked, nothing shows that there is an inspector', async (t) => {
  const fixture = await gatewayWithFile(t, (credential) => {
    const { tenantId, clientId } = credential as { tenantId: string; clientId: string }
    const token = {
      issuer: `https://login.microsoftonline.com/${tenantId}/v2.0`,
      audience: [clientId],
      scopes: ['access_as_user'],
    }
    return {
      inspector: true,
      callers: [{ name: 'operator', token, inspect: true }],
      targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
    }
  })
  const { url, emulator } = fixture
  const { link } = withLink(fixture)
  const headers = {
    'x-forwarded-for': '203.0.113.7',
    authorization: `Bearer ${emulator.userToken('adele.vance@contoso.com')}`,
  }
  emulator.faults.entra.always({ kind: 'unavailable', path: 'openid-configuration' })

  t.equal((await fetch(`${url}/WhoAmI`, { headers })).status, 503)
  const response = await fetch(link, { headers, redirect: 'manual' })
  t.equal(response.status, 404)
  t.equal(await response.text(), await (await fetch(`${url}/-/inspektor`, { headers })).text())
})

t.test('a request is shown with its caller, user, times and ids, and without its values', async (t) => {
  const { url, list } = await inspected(t)
  const secret = 'Sycamore'
  await ended(`${url}/contacts?$filter=lastname eq '${secret}'&$top=1`, {
    headers: { ...USER, 'x-request-id': 'first', prefer: secret },
  })
  await ended(`${url}/WhoAmI`, { headers: { ...USER, 'x-request-id': 'second' } })

  const [second, first] = await list()
  t.match(first, {
    id: 'first',
    method: 'GET',
    path: '/contacts?$filter=…&$top=…',
    entitySet: 'contacts',
    status: 200,
    caller: 'anybody',
    responder: 'Dynamics',
    again: undefined,
  })
  const facts = Object.fromEntries(first!.facts)
  t.match(facts['Ran as'], /^[0-9a-f-]{36}, looked up in Dynamics$/)
  t.match(Object.fromEntries(second!.facts)['Ran as'], /found in memory/)
  t.match(facts['Request id at Dynamics'], /^[0-9a-f-]{36}$/)
  t.equal(facts['Sent to Dynamics'], 'yes')
  const everything = JSON.stringify(await list())
  t.notMatch(everything, secret)
  t.notMatch(everything, 'adele.vance')
})

t.test('a user lookup is part of the request that caused it', async (t) => {
  const { url, emulator, list } = await inspected(t)
  emulator.faults.dataverse.push({ kind: 'unavailable', path: 'systemusers' })
  await ended(`${url}/WhoAmI`, { headers: USER })

  const [shown] = await list()
  const steps = shown!['attempts'] as { what: string }[]
  const lookUp = steps.map(({ what }) => what).filter((what) => what.startsWith('lookup in systemusers, '))
  t.match(
    lookUp.filter((what) => /attempt \d/.test(what)),
    [/attempt 1: Dynamics answered 503, sent again/, /attempt 2: Dynamics answered 200/],
  )
  t.match(lookUp.join(), /waited before the next attempt/)
  t.equal(steps.at(-1)!.what, 'attempt 1: Dynamics answered 200')
})

t.test('each failure is shown with reason and fix', async (t) => {
  const { url, emulator, list } = await inspected(t)
  const ask = (path: string, init: RequestInit = {}): Promise<unknown> => fetch(url + path, init).then((r) => r.text())
  await ask('/WhoAmI', { headers: { 'x-user-email': 'nobody@contoso.com' } })
  await ask('/WhoAmI', { headers: { 'x-user-email': 'a, b' } })
  await ask('/accounts(00000000-0000-0000-0000-0000000000aa)')
  await ask('/WhoAmI', { headers: { callerobjectid: '2b842c28-1de8-4271-a03a-057c398199fc' } })
  emulator.faults.dataverse.push({ kind: 'throttle', limit: 'count', retryAfter: 60 })
  await ask('/WhoAmI')
  await ask('/WhoAmI')

  const shown = (await list()) as unknown as { code: string; explanation: Record<string, string> }[]
  t.same(shown.map(({ code }) => code).toReversed(), [
    'GATEWAY_USER_UNKNOWN',
    'GATEWAY_BAD_USER_EMAIL',
    '0x80040217',
    'GATEWAY_CALLER_ID_NOT_ALLOWED',
    '0x80072322',
    'GATEWAY_LIMIT_HOLDS',
  ])
  for (const { code, explanation } of shown) {
    t.match(explanation, { what: /\w/, why: /\w/, todo: /\w/ }, code)
  }
})

t.test('a request that names a user is not replayed without that user', async (t) => {
  const { url, list } = await inspected(t)
  for (const [path, headers] of [
    ['/WhoAmI', {}],
    ['/WhoAmI', USER],
    ['/WhoAmI', { 'x-user-email': 'nobody@contoso.com' }],
    ['/accounts?$top=1', {}],
  ] as const) {
    await ended(url + path, { headers })
  }

  t.same(
    (await list()).map(({ again, curlIsComplete }) => [again !== undefined, curlIsComplete]),
    [
      [false, false],
      [false, false],
      [false, false],
      [true, true],
    ],
  )
})

t.test('values and bodies are captured while capture is on and a page is open', async (t) => {
  const { url, link, list } = await inspected(t)
  const cookie = await cookieOf(link)
  const write = (path: string): Promise<number> =>
    fetch(`${url}/-/inspector/${path}`, { method: 'POST', headers: { cookie, 'x-inspector': '1' } }).then(
      ({ status }) => status,
    )
  t.equal(await write('capture/on'), 400, 'no page is open')
  const left = new AbortController()
  const stream = await fetch(`${url}/-/inspector/events`, { headers: { cookie }, signal: left.signal })
  t.equal(await write('capture/on'), 204)

  const headers = { ...USER, 'content-type': 'application/json', authorization: 'Bearer s3cret', cookie: 'a=s3cret' }
  const body = JSON.stringify({ name: "O'Reilly", description: 'x'.repeat(2000) })
  await ended(`${url}/accounts`, { method: 'POST', headers, body })
  await ended(`${url}/accounts?$top=1&$select=name`, { headers: { ...USER, 'x-api-key': 's3cret' } })
  await ended(`${url}/accounts(00000000-0000-0000-0000-000000000001)/entityimage/$value`)
  const [file, read, created] = (await list()) as unknown as { captured: Record<string, unknown>; curl: string }[]
  t.match(created!.captured, { requestBody: /O'Reilly.*…\(2000 characters\)/ })
  t.match(created!.curl, `'{"name":"O'\\''Reilly"`)
  t.match(read!.captured, { target: '/accounts?$top=1&$select=name', responseBody: /"value":/ })
  t.match(read!.captured['headers'], [['x-user-email', 'adele.vance@contoso.com']])
  t.same(file!.captured['responseBody'], undefined)
  t.notMatch(JSON.stringify(await list()), 's3cret')

  left.abort()
  await stream.text().catch(() => '')
  await t.resolves(until(async () => (await write('capture/on')) === 400))
  await ended(`${url}/accounts?$top=1`)
  const [last] = await list()
  t.equal(last!['captured'], undefined, 'capture ends when the last page closes')
})

t.test('the list can be cleared, and what is not in it is not found', async (t) => {
  const { url, link, list } = await inspected(t)
  const cookie = await cookieOf(link)
  t.same(await list(), [])
  await ended(`${url}/accounts?$top=1`)
  const [shown] = await list()
  const one = `${url}/-/inspector/requests/${shown!['number'] as number}`
  const found = await fetch(one, { headers: { cookie } })
  t.equal(found.status, 200)
  t.match(await found.json(), { number: shown!['number'], entitySet: 'accounts' })

  const write = async (path: string): Promise<number> =>
    statusOf(`${url}/-/inspector/${path}`, { cookie, 'x-inspector': '1' }, 'POST')
  t.equal(await write('clear'), 204)
  t.same(await list(), [])
  const gone = await fetch(one, { headers: { cookie } })
  t.equal(gone.status, 404)
  t.match(await gone.json(), { error: { message: /Newer requests have displaced this one/ } })
  t.equal(await write('clear'), 204, 'an empty list, too')
  t.equal(await write('capture/maybe'), 404)
})

t.test('the command line names the scheme and the host of the request for it', async (t) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
  })
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'))
  const tls = { certificate: join(folder, 'c.pem'), key: join(folder, 'k.pem') }
  writeFileSync(tls.certificate, cert)
  writeFileSync(tls.key, key)
  const encrypted = withLink(
    await gatewayWithFile(t, (credential) => ({
      inspector: true,
      tls,
      targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
    })),
  )
  const secureText = (address: string): Promise<string> =>
    new Promise((resolve, reject) => {
      secureRequest(address, { ca: cert, checkServerIdentity: () => undefined }, (response) => {
        text(response).then(resolve, reject)
      })
        .on('error', reject)
        .end()
    })
  await secureText(`${encrypted.url}/accounts?$top=1`)
  t.match(
    await secureText(`${encrypted.link}&format=json`),
    `--url 'https://127.0.0.1:${new URL(encrypted.url).port}/accounts`,
  )

  const path = join(folder, 'gateway.sock')
  const { link } = await inspected(t, { HOST: `unix:${path}` })
  await rawRequest({ path }, get('/accounts?$top=1'))
  const list = `GET /-/inspector?format=json&token=${new URL(link).searchParams.get('token')} HTTP/1.0\r\n\r\n`
  t.match((await rawRequest({ path }, list)).body, "--url 'http://localhost/accounts")
})

t.test('an open inspector page does not delay shutdown', async (t) => {
  const { url, link, running } = await inspected(t, { SHUTDOWN_TIMEOUT: '100s' })
  const cookie = await cookieOf(link)
  const stream = await fetch(`${url}/-/inspector/events`, { headers: { cookie } })
  const started = performance.now()
  running.stop()
  await stream.text()
  await running.stopped
  t.ok(performance.now() - started < 60_000, 'before the drain timeout')
})

t.test('the inspector stays below its memory limit under any load, also with a stalled browser', async (t) => {
  const { url, link } = await inspected(t)
  const cookie = await cookieOf(link)
  const stopped = await new Promise<import('node:http').IncomingMessage>((resolve) =>
    request(`${url}/-/inspector/events`, { headers: { cookie } }, (response) => resolve(response.pause())).end(),
  )
  t.teardown(() => stopped.destroy())
  await fetch(`${url}/-/inspector/capture/on`, { method: 'POST', headers: { cookie, 'x-inspector': '1' } })
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ name: 'x', description: 'some words '.repeat(10_000) })
  for (let turn = 0; turn < 200; turn += 1) {
    await ended(`${url}/nothings`, { method: 'POST', headers, body })
  }
  const response = await fetch(`${url}/-/inspector/events`, { headers: { cookie } })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  const { value } = await reader.read()
  await reader.cancel()
  const { bytes, limit } = JSON.parse(/^data: (.*)\n/.exec(value!)![1]!) as { bytes: number; limit: number }
  t.ok(bytes > limit / 2 && bytes <= limit, `${bytes} of ${limit}`)
})

/** Sends a request, and waits until it is finished and recorded. */
async function ended(url: string, init: RequestInit = {}): Promise<void> {
  await (await fetch(url, init)).arrayBuffer()
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10))
}
