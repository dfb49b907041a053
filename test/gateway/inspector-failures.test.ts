import { setTimeout as sleep } from 'node:timers/promises'

import t from 'tap'
import type { Test } from 'tap'

import type { DataverseFault } from '../../emulator/emulator.ts'
import { keyHash } from '../../src/callers/api-key.ts'
import type { InspectorRecord } from '../../src/observe/inspector/record.ts'
import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { rawRequest } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

// The record of a failed call in the inspector alone says why it failed and how to fix it.

/** A failing call, and what its record must contain. */
interface Failure {
  readonly name: string
  /** Makes the call with this request id. */
  readonly call: (gateway: Called, id: string) => Promise<unknown>
  readonly status: number
  readonly code: string | undefined
  /** In `what` or `why`: the specific reason of this failure. */
  readonly reason: RegExp
  readonly fix: RegExp
  /** Must occur in the facts or attempts. */
  readonly evidence: RegExp
}

interface Called extends Fixture {
  readonly ask: (id: string, path: string, init?: RequestInit) => Promise<unknown>
  readonly raw: (bytes: string) => Promise<unknown>
}

function called(fixture: Fixture): Called {
  const to = { host: '127.0.0.1', port: Number(new URL(fixture.url).port) }
  return Object.assign(fixture, {
    ask: (id: string, path: string, init: RequestInit = {}) =>
      fetch(fixture.url + path, { ...init, headers: { 'x-request-id': id, ...init.headers } }).then(
        (response) => response.text().catch(() => undefined),
        () => undefined,
      ),
    raw: (bytes: string) => rawRequest(to, bytes),
  })
}

/** Makes each call, and checks its record in the inspector. */
async function explained(t: Test, gateway: Called, failures: readonly Failure[]): Promise<void> {
  const link = gateway.running.inspectorLink!
  const records = async (): Promise<InspectorRecord[]> => {
    const response = await fetch(`${link}&format=json`)
    return ((await response.json()) as { requests: InspectorRecord[] }).requests
  }
  for (const [index, { name, call, status, code, reason, fix, evidence }] of failures.entries()) {
    const id = `failure-${index}`
    await call(gateway, id)
    gateway.emulator.faults.clear()
    let record: InspectorRecord | undefined
    await until(async () => (record = (await records()).find((one) => one.id === id)) !== undefined)
    const { explanation, facts, attempts } = record!
    t.equal(record!.status, status, name)
    t.equal(record!.code, code, name)
    t.match(`${explanation?.what} ${explanation?.why}`, reason, name)
    t.match(explanation?.todo, fix, name)
    t.match(
      JSON.stringify([facts, attempts.map(({ what }) => what), record!.times, record!.requestHeaders]),
      evidence,
      name,
    )
  }
}

const NOT_SENT = /"Sent to Dynamics","no"/
const SENT = /"Sent to Dynamics","yes/
const json = { 'content-type': 'application/json; odata.metadata=minimal' }

function refusal(status: number, code: string, message: string): DataverseFault {
  return { kind: 'answer', status, headers: json, body: JSON.stringify({ error: { code, message } }) }
}

/** A call that Dynamics refuses with an error. */
function dynamics(
  name: string,
  fault: DataverseFault,
  expected: Omit<Failure, 'name' | 'call' | 'evidence'>,
  headers: Record<string, string> = {},
): Failure {
  return {
    name,
    call: ({ ask, emulator }, id) => {
      emulator.faults.dataverse.push({ path: '/accounts', ...fault })
      return ask(id, '/accounts', { headers })
    },
    evidence: SENT,
    ...expected,
  }
}

const USER = { 'x-user-email': 'adele.vance@contoso.com' }

t.test('refusals at the door', async (t) => {
  const gateway = called(await gatewayFor(t, { INSPECTOR: 'true', BODY_LIMIT: '1KiB' }))
  const head = (line: string, ...more: string[]): string =>
    [line, 'Host: localhost', 'Connection: close', ...more, '', ''].join('\r\n')
  const raw =
    (line: string, ...more: string[]): Failure['call'] =>
    ({ raw }, id) =>
      raw(head(line, `X-Request-Id: ${id}`, ...more))
  await explained(t, gateway, [
    {
      name: 'a method that nobody knows',
      call: raw('BREW /accounts HTTP/1.1'),
      status: 405,
      code: 'GATEWAY_METHOD_NOT_ALLOWED',
      reason: /method/,
      fix: /PATCH/,
      evidence: NOT_SENT,
    },
    {
      name: 'a blank in the address',
      call: raw('GET /accounts?$filter=name eq 1 HTTP/1.1'),
      status: 400,
      code: 'GATEWAY_BAD_REQUEST',
      reason: /percent-encoded/,
      fix: /as the message says/,
      evidence: NOT_SENT,
    },
    {
      name: 'a foreign host',
      call: ({ raw }, id) =>
        raw(`GET /accounts HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nX-Request-Id: ${id}\r\n\r\n`),
      status: 421,
      code: 'GATEWAY_HOST_NOT_ALLOWED',
      reason: /rebinding/,
      fix: /ALLOWED_HOSTS/,
      evidence: NOT_SENT,
    },
    {
      name: 'a page of another origin',
      call: raw('GET /accounts HTTP/1.1', 'Origin: https://evil.example'),
      status: 403,
      code: 'GATEWAY_ORIGIN_NOT_ALLOWED',
      reason: /origin/,
      fix: /ALLOWED_ORIGINS/,
      evidence: NOT_SENT,
    },
    {
      name: 'a large body',
      call: ({ ask }, id) => ask(id, '/accounts', { method: 'POST', body: 'x'.repeat(2000) }),
      status: 413,
      code: 'GATEWAY_BODY_TOO_LARGE',
      reason: /larger/,
      fix: /BODY_LIMIT/,
      evidence: NOT_SENT,
    },
    {
      name: 'a GET with a body',
      call: ({ raw }, id) => raw(`${head('GET /accounts HTTP/1.1', `X-Request-Id: ${id}`, 'Content-Length: 2')}{}`),
      status: 400,
      code: 'GATEWAY_BAD_REQUEST',
      reason: /body/,
      fix: /message/,
      evidence: NOT_SENT,
    },
    {
      name: 'a path that leaves the API',
      call: raw('GET /accounts/../../x HTTP/1.1'),
      status: 400,
      code: 'GATEWAY_BAD_REQUEST',
      reason: /path|segment/,
      fix: /message/,
      evidence: NOT_SENT,
    },
    {
      name: 'an expectation',
      call: raw('GET /accounts HTTP/1.1', 'Expect: tea'),
      status: 417,
      code: 'GATEWAY_EXPECTATION_FAILED',
      reason: /Expect header/,
      fix: /100-continue/,
      evidence: NOT_SENT,
    },
    {
      name: 'a large head',
      call: raw('GET /accounts HTTP/1.1', `Cookie: a=${'x'.repeat(100_000)}`),
      status: 431,
      code: 'GATEWAY_HEAD_TOO_LARGE',
      reason: /headers/,
      fix: /fewer/,
      evidence: NOT_SENT,
    },
    {
      name: 'a batch that cannot be read',
      call: ({ ask }, id) =>
        ask(id, '/$batch', {
          method: 'POST',
          body: '--a\r\nnothing',
          headers: { 'content-type': 'multipart/mixed; boundary=a' },
        }),
      status: 400,
      code: 'GATEWAY_BAD_BATCH',
      reason: /batch/,
      fix: /message/,
      evidence: NOT_SENT,
    },
  ])
})

t.test('failures to identify the user', async (t) => {
  const gateway = called(await gatewayFor(t, { INSPECTOR: 'true' }))
  const as =
    (email: string): Failure['call'] =>
    ({ ask }, id) =>
      ask(id, '/WhoAmI', { headers: { 'x-user-email': email } })
  const person = gateway.emulator
    .rows('systemusers')
    .find((row) => row['internalemailaddress'] === USER['x-user-email'])
  for (const number of [1, 2]) {
    gateway.emulator.put('systemusers', {
      ...person!,
      systemuserid: `77777777-7777-4777-8777-77777777777${number}`,
      azureactivedirectoryobjectid: `77777777-7777-4777-8777-77777777778${number}`,
      internalemailaddress: 'two@contoso.com',
    })
  }
  gateway.emulator.put('systemusers', {
    ...person!,
    systemuserid: '77777777-7777-4777-8777-777777777773',
    applicationid: '77777777-7777-4777-8777-777777777793',
    internalemailaddress: 'import@contoso.com',
  })
  await explained(t, gateway, [
    {
      name: 'a caller id',
      call: ({ ask }, id) =>
        ask(id, '/WhoAmI', { headers: { callerobjectid: '2b842c28-1de8-4271-a03a-057c398199fc' } }),
      status: 400,
      code: 'GATEWAY_CALLER_ID_NOT_ALLOWED',
      reason: /run the request as/,
      fix: /callerIds/,
      evidence: NOT_SENT,
    },
    {
      name: 'no address',
      call: as('a, b'),
      status: 400,
      code: 'GATEWAY_BAD_USER_EMAIL',
      reason: /unclear/,
      fix: /one e-mail address/,
      evidence: NOT_SENT,
    },
    {
      name: 'an unknown user',
      call: as('nobody@contoso.com'),
      status: 403,
      code: 'GATEWAY_USER_UNKNOWN',
      reason: /primary e-mail address/i,
      fix: /Primary Email/,
      evidence: /lookup in systemusers, attempt 1: Dynamics answered 200/,
    },
    {
      name: 'a disabled user',
      call: as('nestor.wilke@contoso.com'),
      status: 403,
      code: 'GATEWAY_USER_DISABLED',
      reason: /disabled/,
      fix: /licence|enable/,
      evidence: NOT_SENT,
    },
    {
      name: 'two users of one address',
      call: as('two@contoso.com'),
      status: 403,
      code: 'GATEWAY_USER_AMBIGUOUS',
      reason: /guess/,
      fix: /one of them/,
      evidence: NOT_SENT,
    },
    {
      name: 'an application user',
      call: as('import@contoso.com'),
      status: 403,
      code: 'GATEWAY_USER_NOT_PERSON',
      reason: /more rights than any person/,
      fix: /person/,
      evidence: NOT_SENT,
    },
    {
      name: 'a lookup that is refused',
      call: ({ ask, emulator }, id) => {
        emulator.faults.dataverse.push({
          path: 'systemusers',
          ...refusal(403, '0x80040220', 'Principal user is missing prvReadUser privilege'),
        })
        return ask(id, '/WhoAmI', { headers: { 'x-user-email': 'megan.bowen@contoso.com' } })
      },
      status: 502,
      code: 'GATEWAY_USER_LOOKUP_FAILED',
      reason: /403/,
      fix: /check --user/,
      evidence: /lookup in systemusers, attempt 1: Dynamics answered 403/,
    },
  ])
})

t.test('refusals by Dynamics', async (t) => {
  const gateway = called(
    await gatewayFor(t, { INSPECTOR: 'true', MAX_RETRY_WAIT: '0s', REQUEST_TIMEOUT: '3s', USER_EMAIL_HEADER: '' }),
  )
  await explained(t, gateway, [
    {
      name: 'a row that is not there',
      call: ({ ask }, id) => ask(id, '/accounts(00000000-0000-0000-0000-0000000000aa)'),
      status: 404,
      code: '0x80040217',
      reason: /row|exist/,
      fix: /\w/,
      evidence: SENT,
    },
    {
      name: 'a query that is none',
      call: ({ ask }, id) => ask(id, '/accounts?$filter=nothing%20eq%201'),
      status: 400,
      code: '0x80060888',
      reason: /property|syntax|query/i,
      fix: /\w/,
      evidence: SENT,
    },
    dynamics('no application user', refusal(403, '0x80072560', 'The user is not a member of the organization.'), {
      status: 403,
      code: '0x80072560',
      reason: /no application user/,
      fix: /New app user/,
    }),
    dynamics(
      'a missing privilege',
      refusal(403, '0x80040220', 'Principal user (Id=1, type=8) is missing prvReadAccount privilege'),
      { status: 403, code: '0x80040220', reason: /prvReadAccount/, fix: /security role/i },
    ),
    dynamics(
      'no right to act as others',
      refusal(403, '0x80040220', 'Principal user is missing prvActOnBehalfOfAnotherUser privilege'),
      { status: 403, code: '0x80040220', reason: /act as other users/, fix: /Delegate/ },
      USER,
    ),
    dynamics('a disabled application user', refusal(403, '0x80040225', 'The specified user is disabled.'), {
      status: 403,
      code: '0x80040225',
      reason: /disabled/,
      fix: /Activate/,
    }),
    dynamics(
      'the IP firewall',
      refusal(403, '0x80095ffe', 'Access to Dataverse API is restricted: access to your IP is blocked'),
      {
        status: 403,
        code: '0x80095ffe',
        reason: /IP/,
        fix: /firewall|address/i,
      },
    ),
    dynamics(
      'a condition that does not hold',
      refusal(412, '0x80060882', 'The version of the existing record does not match'),
      {
        status: 412,
        code: '0x80060882',
        reason: /version|changed/,
        fix: /\w/,
      },
    ),
    dynamics('a duplicate', refusal(412, '0x80040237', 'A record with matching key values already exists.'), {
      status: 412,
      code: '0x80040237',
      reason: /exists|key/,
      fix: /\w/,
    }),
    dynamics('a fault of Dynamics', refusal(500, '0x80040216', 'An unexpected error occurred.'), {
      status: 500,
      code: '0x80040216',
      reason: /unexpected|Dynamics/,
      fix: /\w/,
    }),
    dynamics(
      'a page of a load balancer',
      { kind: 'html', status: 502, times: 2 },
      {
        status: 502,
        code: undefined,
        reason: /page|HTML|not come from/i,
        fix: /\w/,
      },
    ),
    dynamics(
      'a page in place of rows',
      { kind: 'answer', status: 200, headers: { 'content-type': 'text/html' }, body: '<p>' },
      {
        status: 502,
        code: 'GATEWAY_DYNAMICS_ANSWER_INVALID',
        reason: /a page \(text\/html\)/,
        fix: /HTTPS_PROXY/,
      },
    ),
    {
      name: 'a write that broke off',
      call: ({ ask, emulator }, id) => {
        emulator.faults.dataverse.push({ kind: 'reset', path: '/tasks' })
        return ask(id, '/tasks', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
      },
      status: 502,
      code: 'GATEWAY_DYNAMICS_BROKE_OFF',
      reason: /ended after the request was sent/,
      fix: /whether a change was made/,
      evidence: SENT,
    },
    dynamics(
      'no answer in time',
      { kind: 'hang' },
      {
        status: 504,
        code: 'GATEWAY_DYNAMICS_TOO_SLOW',
        reason: /longer/,
        fix: /\$select/,
      },
    ),
    dynamics(
      'half a response',
      { kind: 'half' },
      {
        status: 200,
        code: undefined,
        reason: /broke off|ended/,
        fix: /again/,
      },
    ),
    {
      name: 'a caller that leaves',
      call: async ({ url, emulator }, id) => {
        emulator.faults.dataverse.push({ kind: 'hang', path: '/contacts' })
        const leaving = new AbortController()
        const left = fetch(`${url}/contacts`, { headers: { 'x-request-id': id }, signal: leaving.signal })
        await until(() => emulator.received.some(({ url }) => url.includes('/contacts')))
        leaving.abort()
        await left.catch(() => undefined)
      },
      status: 499,
      code: undefined,
      reason: /closed its connection/,
      fix: /timeout/,
      evidence: /attempt 1: failed \(ClientDisconnected\)/,
    },
    dynamics(
      'a token that is refused twice',
      { kind: 'challenge', times: 2 },
      {
        status: 502,
        code: 'GATEWAY_TOKEN_REFUSED',
        reason: /refused a new access token/,
        fix: /check/,
      },
    ),
    {
      name: 'a limit that holds',
      call: async ({ ask, emulator }, id) => {
        emulator.faults.dataverse.push({ kind: 'throttle', limit: 'count', retryAfter: 60 })
        await ask('before', '/accounts')
        await ask(id, '/accounts')
      },
      status: 429,
      code: 'GATEWAY_LIMIT_HOLDS',
      reason: /429 to an earlier request/,
      fix: /Retry-After/,
      evidence: NOT_SENT,
    },
  ])
  t.match(
    gateway.lines.filter(({ msg, causes, status }) => msg === 'request' && status === 200 && causes !== undefined),
    [{ causes: [/^[A-Z_]+$/] }],
    'the log also reports the truncated response',
  )
})

const LIMITS = [
  ['count', '0x80072322', /too many requests were made/],
  ['time', '0x80072321', /too much time together/],
  ['concurrency', '0x80072326', /at the same time/],
] as const

for (const [limit, code, reason] of LIMITS) {
  t.test(`the service protection limit: ${limit}`, async (t) => {
    const gateway = called(await gatewayFor(t, { INSPECTOR: 'true', MAX_RETRY_WAIT: '0s' }))
    await explained(t, gateway, [
      dynamics(
        limit,
        { kind: 'throttle', limit, retryAfter: 1 },
        { status: 429, code, reason, fix: /Wait a few minutes/ },
      ),
    ])
  })
}

t.test('refusals by rules', async (t) => {
  const key = 'the-key-of-a-caller-that-is-listed'
  const gateway = called(
    await gatewayWithFile(t, (credential) => ({
      inspector: true,
      callers: [{ name: 'reader', keys: [keyHash(key)], rules: ['allow GET accounts'], users: ['@contoso.com'] }],
      targets: [{ url: 'https://contoso.crm4.dynamics.com', credential, impersonation: { mode: 'required' } }],
    })),
  )
  const headers = { 'x-api-key': key, ...USER }
  await explained(t, gateway, [
    {
      name: 'an unknown caller',
      call: ({ ask }, id) => ask(id, '/accounts', { headers: { 'x-api-key': 'x'.repeat(43) } }),
      status: 401,
      code: 'GATEWAY_CALLER_UNKNOWN',
      reason: /none of them/,
      fix: /X-Api-Key/,
      evidence: NOT_SENT,
    },
    {
      name: 'a rule',
      call: ({ ask }, id) => ask(id, '/contacts', { headers }),
      status: 403,
      code: 'GATEWAY_CALLER_NOT_ALLOWED',
      reason: /none of its rules allows it \(allow GET accounts\)/,
      fix: /allow rule/,
      evidence: /"Rules","refuse: This caller may not GET contacts/,
    },
    {
      name: "somebody else's user",
      call: ({ ask }, id) => ask(id, '/accounts', { headers: { ...headers, 'x-user-email': 'a@fabrikam.com' } }),
      status: 403,
      code: 'GATEWAY_USER_NOT_ALLOWED',
      reason: /not among them/,
      fix: /`users` of this caller/,
      evidence: /"Rules","allow it: allow GET accounts"/,
    },
    {
      name: 'no user',
      call: ({ ask }, id) => ask(id, '/accounts', { headers: { 'x-api-key': key } }),
      status: 403,
      code: 'GATEWAY_USER_REQUIRED',
      reason: /IMPERSONATION=required/,
      fix: /one of the headers/,
      evidence: NOT_SENT,
    },
  ])
})

t.test('failures of Entra and of the network', async (t) => {
  const rejected = called(await gatewayFor(t, { INSPECTOR: 'true', AZURE_CLIENT_SECRET: 'wrong' }))
  await until(() => rejected.lines.some(({ level }) => level === 'error' || level === 'warn'))
  await explained(t, rejected, [
    {
      name: 'a wrong secret',
      call: ({ ask }, id) => ask(id, '/accounts'),
      status: 502,
      code: 'GATEWAY_CREDENTIAL_REJECTED',
      reason: /secret/,
      fix: /check/,
      evidence: NOT_SENT,
    },
  ])
  const unavailable = called(await gatewayFor(t, { INSPECTOR: 'true', TOKEN_TIMEOUT: '500ms' }))
  unavailable.emulator.faults.entra.always({ kind: 'unavailable' })
  unavailable.emulator.revokeTokens()
  await sleep(1)
  await explained(t, unavailable, [
    {
      name: 'Entra is away',
      call: ({ ask, emulator }, id) => {
        emulator.faults.entra.always({ kind: 'unavailable' })
        return ask(id, '/accounts')
      },
      status: 503,
      code: 'GATEWAY_TOKEN_UNAVAILABLE',
      reason: /token/,
      fix: /\w/,
      evidence: /token/,
    },
  ])
})
