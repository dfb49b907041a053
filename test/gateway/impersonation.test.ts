import t from 'tap'

import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'

const lookups = (received: readonly { url: string }[]): number =>
  received.filter(({ url }) => url.includes('internalemailaddress')).length

t.test('looks a user up once, for many requests at the same time', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  const answers = await Promise.all(
    Array.from({ length: 100 }, () =>
      fetch(`${url}/WhoAmI`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } }),
    ),
  )

  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.equal(lookups(emulator.received), 1)
})

t.test('a part of a batch that names its user is refused, and nothing is sent', async (t) => {
  for (const [mode, header] of [
    ['optional', 'x-user-email'],
    ['required', 'x-user-email'],
    ['off', 'x-user-email'],
    ['required', 'x-contoso-user'],
  ] as const) {
    const { url, emulator } = await gatewayFor(t, { IMPERSONATION: mode, USER_EMAIL_HEADER: header })
    const onBatch = { [header]: 'adele.vance@contoso.com' }

    for (const name of [header, header.toUpperCase(), header.replaceAll('-', '_'), header.replaceAll('-', '.')]) {
      const line = `${name}: alex.wilber@contoso.com`
      for (const [type, body] of [
        [
          'application/json',
          JSON.stringify({
            requests: [{ id: '1', method: 'GET', url: 'WhoAmI', headers: { [name]: 'alex.wilber@contoso.com' } }],
          }),
        ],
        [
          'multipart/mixed;boundary=b',
          [
            '--b',
            'Content-Type: application/http',
            'Content-Transfer-Encoding: binary',
            '',
            'GET WhoAmI HTTP/1.1',
            line,
            '',
            '',
            '--b--',
            '',
          ].join('\r\n'),
        ],
      ] as const) {
        for (const headers of [{}, onBatch]) {
          if (mode === 'required' && headers !== onBatch) continue
          const answer = await fetch(`${url}/$batch`, {
            method: 'POST',
            headers: { 'content-type': type, ...headers },
            body,
          })
          t.equal(answer.status, 400, `${mode} ${line} ${type}`)
          t.match(await answer.json(), { error: { code: 'GATEWAY_BAD_BATCH', message: /put it on the batch/ } })
        }
      }
    }
    t.notOk(
      emulator.received.some(({ url }) => url.includes('$batch')),
      'nothing of it was carried out',
    )
  }
})

t.test('caches that an address has no user', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  for (let count = 0; count < 3; count++) {
    t.equal((await fetch(`${url}/WhoAmI`, { headers: { 'x-user-email': 'nobody@contoso.com' } })).status, 403)
  }

  t.equal(lookups(emulator.received), 1)
})

for (const address of [
  "brian.o'neil@contoso.com",
  'grady.archie+sales@contoso.com',
  'isaiah_langer@contoso.com',
  'jürgen.müller@contoso.com',
  'pradeep.gupta@contoso.com',
  'patti.fernandez@contoso.com',
  'miriam.graham@contoso.com',
]) {
  t.test(`acts as ${address}`, async (t) => {
    const { url, emulator } = await gatewayFor(t)

    const response = await fetch(`${url}/WhoAmI`, {
      headers: { 'x-user-email': Buffer.from(address).toString('latin1') },
    })

    t.equal(response.status, 200)
    const { UserId } = (await response.json()) as { UserId: string }
    t.match(
      emulator.rows('systemusers').find(({ systemuserid }) => systemuserid === UserId),
      {
        internalemailaddress: address,
        isdisabled: false,
        applicationid: null,
      },
    )
  })
}

t.test("sends the lookup without anything of the caller's", async (t) => {
  const { url, emulator } = await gatewayFor(t)

  await fetch(`${url}/WhoAmI`, {
    headers: { 'x-user-email': 'adele.vance@contoso.com', prefer: 'odata.maxpagesize=1', 'x-mine': '1' },
  })

  const lookup = emulator.received.find(({ url }) => url.includes('internalemailaddress'))!
  t.notOk(lookup.rawHeaders.some((name) => /^(prefer|x-mine|x-user-email|callerobjectid|mscrmcallerid)$/i.test(name)))
})

for (const [fault, status, code] of [
  [{ kind: 'html' }, 502, 'GATEWAY_USER_LOOKUP_FAILED'],
  [
    { kind: 'answer', status: 403, body: '{"error":{"code":"0x80040220","message":"missing prvReadUser"}}' },
    502,
    'GATEWAY_USER_LOOKUP_FAILED',
  ],
  [{ kind: 'answer', status: 200, body: 'null' }, 502, 'GATEWAY_USER_LOOKUP_FAILED'],
  [{ kind: 'answer', status: 200, body: '{"value":[' }, 502, 'GATEWAY_USER_LOOKUP_FAILED'],
] as const) {
  t.test(`sends nothing if the lookup fails: ${JSON.stringify(fault)}`, async (t) => {
    const { url, emulator } = await gatewayFor(t)
    emulator.faults.dataverse.always({ ...fault, path: 'internalemailaddress' })

    const response = await fetch(`${url}/accounts`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })
    const { error } = (await response.json()) as { error: { code: string } }
    emulator.faults.dataverse.clear()
    const afterwards = await fetch(`${url}/WhoAmI`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })

    t.equal(response.status, status)
    t.equal(error.code, code)
    t.notOk(emulator.received.some((request) => request.url.includes('/accounts')))
    t.equal(afterwards.status, 200, 'a failure is not remembered')
  })
}

t.test('sends nothing if Dynamics does not report whether the user is disabled', async (t) => {
  const { url, emulator, log } = await gatewayFor(t)
  const row = {
    systemuserid: '88888888-8888-4888-8888-888888888888',
    azureactivedirectoryobjectid: null,
    internalemailaddress: 'adele.vance@contoso.com',
    applicationid: null,
    accessmode: 0,
  }
  emulator.faults.dataverse.push({
    kind: 'answer',
    status: 200,
    body: JSON.stringify({ value: [row] }),
    path: 'internalemailaddress',
  })
  const headers = { 'x-user-email': 'adele.vance@contoso.com' }
  const response = await fetch(`${url}/accounts`, { headers })

  t.equal(response.status, 502)
  t.match(await response.json(), { error: { code: 'GATEWAY_USER_LOOKUP_FAILED' } })
  t.match(log(), /lacks isdisabled/)
  t.notOk(emulator.received.some((request) => request.url.includes('/accounts')))
  t.equal((await fetch(`${url}/accounts`, { headers })).status, 200, 'a truncated response is not remembered')
})

t.test('refuses requests without a user if one is required', async (t) => {
  const { url, emulator } = await gatewayFor(t, { IMPERSONATION: 'required' })

  const response = await fetch(`${url}/accounts`)

  t.equal(response.status, 403)
  t.match(await response.json(), { error: { code: 'GATEWAY_USER_REQUIRED' } })
  t.equal(emulator.received.length, 0)
})

t.test('ignores the header if impersonation is off, and does not forward it', async (t) => {
  const { url, emulator } = await gatewayFor(t, { IMPERSONATION: 'off' })

  const response = await fetch(`${url}/WhoAmI`, { headers: { 'x-user-email': 'nobody@contoso.com' } })

  t.equal(response.status, 200)
  t.notOk(emulator.received.at(-1)?.rawHeaders.some((name) => /x-user-email|caller/i.test(name)))
})

t.test('reads the configured header', async (t) => {
  const { url } = await gatewayFor(t, { USER_EMAIL_HEADER: 'X-Forwarded-Email' })

  t.equal((await fetch(`${url}/WhoAmI`, { headers: { 'x-forwarded-email': 'nobody@contoso.com' } })).status, 403)
})

t.test('detects that Dynamics does not act as the user', async (t) => {
  const { url, emulator } = await gatewayFor(t, { IMPERSONATION_VERIFY: 'true' })
  const row = {
    systemuserid: '88888888-8888-4888-8888-888888888888',
    azureactivedirectoryobjectid: '99999999-9999-4999-8999-999999999999',
    internalemailaddress: 'adele.vance@contoso.com',
    isdisabled: false,
    applicationid: null,
    accessmode: 0,
  }

  t.equal(
    (await fetch(`${url}/accounts?$top=1`, { headers: { 'x-user-email': 'alex.wilber@contoso.com' } })).status,
    200,
  )
  emulator.faults.dataverse.push({
    kind: 'answer',
    status: 200,
    body: JSON.stringify({ value: [row] }),
    path: 'internalemailaddress',
  })
  const response = await fetch(`${url}/accounts`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })

  t.equal(response.status, 502)
  t.match(await response.json(), { error: { code: 'GATEWAY_IMPERSONATION_IGNORED' } })
})

t.test('a truncated lookup response is a failed lookup, and the next lookup finds the user', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const headers = { 'x-user-email': 'adele.vance@contoso.com' }
  emulator.faults.dataverse.push({ kind: 'half', path: 'systemusers' })
  const response = await fetch(`${url}/WhoAmI`, { headers })
  t.equal(response.status, 502)
  t.match(await response.json(), { error: { code: 'GATEWAY_USER_LOOKUP_FAILED' } })
  t.equal((await fetch(`${url}/WhoAmI`, { headers })).status, 200)
})

t.test('a lookup whose response stops ends after LOOKUP_TIMEOUT', async (t) => {
  const { url, emulator } = await gatewayWithFile(t, (credential) => ({
    targets: [{ url: 'https://contoso.crm4.dynamics.com', credential, impersonation: { lookupTimeout: '500ms' } }],
  }))
  await (await fetch(`${url}/WhoAmI`)).text()
  emulator.faults.dataverse.push({ kind: 'hang in body', path: 'internalemailaddress' })

  const response = await fetch(`${url}/accounts`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })

  t.equal(response.status, 504)
  t.match(await response.json(), { error: { code: 'GATEWAY_USER_LOOKUP_TOO_SLOW' } })
})
