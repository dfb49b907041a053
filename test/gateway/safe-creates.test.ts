import { randomUUID } from 'node:crypto'

import t from 'tap'
import type { Test } from 'tap'

import { contactId } from '../../emulator/emulator.ts'
import type { DataverseFault } from '../../emulator/emulator.ts'
import { gatewayForEmulator, gatewayFor } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

t.setTimeout(600_000)

/** Creates a row of `entitySet` with an idempotency key. */
function create(
  url: string,
  key: string,
  row: object | string,
  { entitySet = 'accounts', headers = {} }: { entitySet?: string; headers?: Record<string, string> } = {},
): Promise<Response> {
  return fetch(`${url}/${entitySet}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `"${key}"`, ...headers },
    body: typeof row === 'string' ? row : JSON.stringify(row),
  })
}

function rowsNamed(t: Fixture, name: string): number {
  return t.emulator.rows('accounts').filter((row) => row['name'] === name).length
}

async function code(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code
}

t.test('the same create sent twice makes one row, and gets the same response', async (t) => {
  const gateway = await gatewayFor(t)
  const row = { name: 'Twice Ltd', revenue: 12.5, 'primarycontactid@odata.bind': `/contacts(${contactId(1)})` }

  const first = await create(gateway.url, 'twice', row)
  const second = await create(gateway.url, 'twice', row)

  t.equal(first.status, 204)
  t.equal(first.headers.get('idempotency-replayed'), null)
  t.match(first.headers.get('odata-entityid'), /^http:\/\/127\.0\.0\.1:\d+\/accounts\([0-9a-f-]{36}\)$/)
  t.equal(second.status, 204)
  t.equal(second.headers.get('idempotency-replayed'), 'true')
  t.equal(second.headers.get('odata-entityid'), first.headers.get('odata-entityid'))
  t.equal(second.headers.get('location'), first.headers.get('location'))
  t.equal(rowsNamed(gateway, 'Twice Ltd'), 1)
  const sent = gateway.emulator.received.filter(({ method }) => method === 'POST')
  t.equal(sent.length, 1, 'the second response comes from memory')
  t.equal(sent[0]!.headers['idempotency-key'], undefined, 'the key is not forwarded')
  t.ok(!JSON.stringify(gateway.emulator.rows('accounts').map((one) => one['accountid'])).includes('twice'))
})

t.test('the second response also has the representation, if requested', async (t) => {
  const gateway = await gatewayFor(t)
  const headers = { prefer: 'return=representation, odata.include-annotations="*"', 'if-none-match': 'null' }
  const entitySet = 'accounts?$select=name,revenue'
  const row = { name: 'Shown Ltd', revenue: 7 }

  const first = await create(gateway.url, 'shown', row, { entitySet, headers })
  const second = await create(gateway.url, 'shown', row, { entitySet, headers })

  t.equal(first.status, 201)
  t.equal(second.status, 201)
  t.equal(second.headers.get('idempotency-replayed'), 'true')
  t.equal(second.headers.get('odata-entityid'), first.headers.get('odata-entityid'))
  t.match(second.headers.get('preference-applied'), /return=representation/)
  t.same(await second.json(), await first.json())
  t.equal(rowsNamed(gateway, 'Shown Ltd'), 1)
})

t.test('another body with the same key is a 422, and creates no row', async (t) => {
  const gateway = await gatewayFor(t)
  await create(gateway.url, 'one', { name: 'First Ltd' })

  const other = await create(gateway.url, 'one', { name: 'Other Ltd' })

  t.equal(other.status, 422)
  t.equal(await code(other), 'GATEWAY_IDEMPOTENCY_KEY_REUSED')
  t.equal(rowsNamed(gateway, 'Other Ltd'), 0)
})

t.test('a key belongs to one user and one entity set', async (t) => {
  const gateway = await gatewayFor(t)
  const asAdele = { headers: { 'x-user-email': 'adele.vance@contoso.com' } }

  const answers = [
    await create(gateway.url, 'shared', { name: 'Shared' }),
    await create(gateway.url, 'shared', { name: 'Shared' }, asAdele),
    await create(gateway.url, 'shared', { lastname: 'Shared' }, { entitySet: 'contacts' }),
    await create(gateway.url, 'shared', { subject: 'Shared' }, { entitySet: 'tasks' }),
  ]

  for (const { status, headers } of answers) {
    t.equal(status, 204)
    t.equal(headers.get('idempotency-replayed'), null)
  }
  t.equal(rowsNamed(gateway, 'Shared'), 2)
})

t.test('without memory of the key, the existing row is compared with the body', async (t) => {
  const gateway = await gatewayFor(t)
  const row = {
    name: 'Lost Ltd',
    revenue: 1234.5,
    numberofemployees: 3,
    'primarycontactid@odata.bind': `/contacts(${contactId(1)})`,
  }
  const first = await create(gateway.url, 'lost', row)
  const restarted = await gatewayForEmulator(t, gateway.emulator)

  const again = await create(restarted.url, 'lost', row)
  t.equal(again.status, 204)
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  t.equal(idIn(again), idIn(first))

  const others = [
    { ...row, name: 'Found Ltd' },
    { ...row, revenue: 1 },
    { ...row, 'primarycontactid@odata.bind': `/contacts(${contactId(2)})` },
  ]
  for (const other of others) {
    const fresh = await gatewayForEmulator(t, gateway.emulator)
    const refused = await create(fresh.url, 'lost', other)
    t.equal(refused.status, 422)
    t.equal(await code(refused), 'GATEWAY_IDEMPOTENCY_KEY_REUSED')
  }
  t.equal(rowsNamed(gateway, 'Lost Ltd'), 1)
})

t.test('concurrent creates through several replicas make one row', async (t) => {
  const gateway = await gatewayFor(t)
  const replicas = [
    gateway,
    await gatewayForEmulator(t, gateway.emulator),
    await gatewayForEmulator(t, gateway.emulator),
  ]
  gateway.emulator.switches.latency = 20

  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, number) => create(replicas[number % 3]!.url, 'race', { name: 'Race Ltd' })),
  )

  t.same(new Set(answers.map(({ status }) => status)), new Set([204]))
  t.equal(new Set(answers.map(idIn)).size, 1)
  t.equal(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null).length, 1)
  t.equal(rowsNamed(gateway, 'Race Ltd'), 1)
  const posts = gateway.emulator.received.filter(({ method }) => method === 'POST').length
  t.ok(posts <= 3, `${posts} creates reached Dynamics, at most one per replica`)
})

t.test('a create that Dynamics refuses does not use up its key', async (t) => {
  const gateway = await gatewayFor(t)

  const refused = await create(gateway.url, 'mistake', { nothing: 1 })
  const corrected = await create(gateway.url, 'mistake', { name: 'Mended Ltd' })

  t.equal(refused.status, 400)
  t.equal(corrected.status, 204)
  t.equal(rowsNamed(gateway, 'Mended Ltd'), 1)
})

t.test('a conflict in another unique column is passed on as an error of Dynamics', async (t) => {
  const gateway = await gatewayFor(t)
  const taken = JSON.stringify({ error: { code: '0x80040237', message: 'A record with matching key values exists.' } })
  gateway.emulator.faults.dataverse.push({
    kind: 'answer',
    method: 'POST',
    status: 412,
    body: taken,
    headers: { 'content-type': 'application/json' },
  })

  const refused = await create(gateway.url, 'unique', { name: 'Unique Ltd' })

  t.equal(refused.status, 412)
  t.equal(await refused.text(), taken)
})

t.test('a user who may not read the existing row is told that it exists', async (t) => {
  const gateway = await gatewayFor(t)
  await create(gateway.url, 'unseen', { name: 'Unseen Ltd' })
  const restarted = await gatewayForEmulator(t, gateway.emulator)
  gateway.emulator.faults.dataverse.push({ kind: 'answer', method: 'GET', path: 'accounts(', status: 403, body: '{}' })

  const refused = await create(restarted.url, 'unseen', { name: 'Unseen Ltd' })

  t.equal(refused.status, 409)
  t.equal(await code(refused), 'GATEWAY_KEYED_ROW_UNREADABLE')
  t.equal(rowsNamed(gateway, 'Unseen Ltd'), 1)
})

const BREAKS: readonly DataverseFault[] = [
  { kind: 'reset' },
  { kind: 'reset after commit' },
  { kind: 'unavailable' },
  { kind: 'html' },
  { kind: 'deadlock' },
]

t.test('a create on a broken connection is retried by the gateway: one row, one response', async (t) => {
  for (const fault of BREAKS) {
    // One gateway for each, because its retry budget is small.
    const gateway = await gatewayFor(t)
    for (const times of [1, 2, 3]) {
      const name = `${fault.kind} ${times}`
      gateway.emulator.faults.dataverse.push({ ...fault, method: 'POST', times })

      const answer = await create(gateway.url, name, { name })

      t.equal(answer.status, 204, name)
      t.equal(answer.headers.get('idempotency-replayed'), null, name)
      t.equal(rowsNamed(gateway, name), 1, name)
      t.equal(gateway.emulator.faults.dataverse.pending, 0, name)
    }
  }
})

t.test('a plug-in that changes values does not make a retried create a conflict', async (t) => {
  const gateway = await gatewayFor(t)
  const key = 'plug-in'
  gateway.emulator.faults.dataverse.push({ kind: 'reset after commit', method: 'POST' })
  gateway.emulator.faults.dataverse.push({ kind: 'delay', ms: 200, method: 'POST' })

  const answering = create(gateway.url, key, { name: 'As sent' })
  await until(() => rowsNamed(gateway, 'As sent') === 1)
  const row = gateway.emulator.rows('accounts').find((one) => one['name'] === 'As sent')!
  gateway.emulator.put('accounts', { accountid: row['accountid']!, name: 'As the plug-in wants it' })

  t.equal((await answering).status, 204)
  t.equal(rowsNamed(gateway, 'As the plug-in wants it'), 1)
})

t.test('a create that keeps failing is answered with the advice to send it again, which makes one row', async (t) => {
  const gateway = await gatewayFor(t, { REQUEST_TIMEOUT: '1s' })
  for (const kind of ['reset after commit', 'hang'] as const) {
    gateway.emulator.faults.dataverse.push({ kind, method: 'POST', times: kind === 'hang' ? 1 : 4 })

    const broken = await create(gateway.url, kind, { name: kind })
    const { error } = (await broken.json()) as { error: { message: string } }
    const again = await create(gateway.url, kind, { name: kind })

    t.ok(broken.status >= 502, kind)
    t.match(error.message, /Send the create again with the same Idempotency-Key/)
    t.notMatch(error.message, /before you send it again/)
    t.equal(again.status, 204)
    t.equal(rowsNamed(gateway, kind), 1)
  }
})

t.test('a caller that disconnects and repeats its create finds one row', async (t) => {
  const gateway = await gatewayFor(t)
  gateway.emulator.switches.latency = 300
  const leaving = new AbortController()
  const left = fetch(`${gateway.url}/accounts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': '"left"' },
    body: '{"name":"Left Ltd"}',
    signal: leaving.signal,
  }).catch(() => undefined)
  await until(() => gateway.emulator.received.some(({ method }) => method === 'POST'))
  leaving.abort()
  await left
  gateway.emulator.switches.latency = 0

  const answer = await create(gateway.url, 'left', { name: 'Left Ltd' })

  t.equal(answer.status, 204)
  t.equal(rowsNamed(gateway, 'Left Ltd'), 1)
})

/** Sends `init`, and checks that it is refused before anything of it reaches Dynamics. */
async function refused(t: Test, gateway: Fixture, path: string, init: RequestInit, why: RegExp): Promise<void> {
  const before = gateway.emulator.executions
  const response = await fetch(`${gateway.url}${path}`, {
    method: 'POST',
    ...init,
    headers: { 'content-type': 'application/json', 'idempotency-key': '"k"', ...(init.headers as object) },
  })
  const { error } = (await response.json()) as { error: { code: string; message: string } }
  t.equal(response.status, 400, path)
  t.equal(error.code, 'GATEWAY_BAD_IDEMPOTENCY_KEY', path)
  t.match(error.message, why, path)
  t.equal(gateway.emulator.executions, before, path)
  const written = gateway.emulator.received.filter(({ method }) => method !== 'GET')
  t.same(written, [], path)
}

t.test('a key on a request that does not support it is refused before anything is sent', async (t) => {
  const gateway = await gatewayFor(t)
  const body = '{"name":"A"}'
  const id = randomUUID()
  const cases: [string, RequestInit, RegExp][] = [
    ['/accounts', { body, headers: { 'idempotency-key': 'unquoted' } }, /in double quotes/],
    ['/accounts', { body, headers: { 'idempotency-key': '""' } }, /in double quotes/],
    ['/accounts', { body: `{"accountid":"${id}"}` }, /sets accountid itself/],
    ['/accounts', { body: '{"primarycontactid":{"lastname":"A"}}' }, /nested rows or lists/],
    ['/accounts', { body: '[]' }, /not a JSON object/],
    ['/accounts', { body: '{' }, /not valid JSON/],
    ['/accounts', {}, /must be JSON/],
    ['/accounts', { body, headers: { 'content-type': 'text/plain' } }, /must be JSON/],
    ['/accounts', { body, headers: { 'content-encoding': 'gzip' } }, /must be JSON/],
    ['/accounts', { body, headers: { prefer: 'respond-async' } }, /asynchronous/],
    ['/sample_readings', { body }, /cannot be given a primary key/],
    ['/sample_suppliers', { body }, /cannot be given a primary key/],
    ['/systemuserrolescollection', { body }, /cannot be given a primary key/],
    ['/activityparties', { body }, /cannot be given a primary key/],
    ['/WinOpportunity', { body }, /not an entity set/],
    ['/Accounts', { body }, /not an entity set/],
    [`/accounts(${id})/contact_customer_accounts`, { body }, /for creates only/],
    ['/accounts/Microsoft.Dynamics.CRM.CreateMultiple', { body }, /for creates only/],
    [`/accounts(${id})`, { method: 'PATCH', body }, /for creates only/],
    [`/accounts(${id})`, { method: 'DELETE' }, /for creates only/],
    ['/$batch', { body: '{"requests":[]}' }, /for creates only/],
  ]
  for (const [path, init, why] of cases) await refused(t, gateway, path, init, why)
})

t.test('a part of a $batch with a key is refused before anything is sent', async (t) => {
  const gateway = await gatewayFor(t)
  const multipart = [
    '--b',
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    'POST /api/data/v9.2/accounts HTTP/1.1',
    'Content-Type: application/json',
    'Idempotency-Key: "k"',
    '',
    '{"name":"A"}',
    '--b--',
    '',
  ].join('\r\n')
  const json = JSON.stringify({
    requests: [{ id: '1', method: 'POST', url: '/accounts', headers: { 'idempotency-key': '"k"' }, body: {} }],
  })
  for (const [type, body] of [
    ['multipart/mixed; boundary=b', multipart],
    ['application/json', json],
  ] as const) {
    const response = await fetch(`${gateway.url}/$batch`, { method: 'POST', headers: { 'content-type': type }, body })
    t.equal(response.status, 400)
    t.equal(await code(response), 'GATEWAY_BAD_IDEMPOTENCY_KEY')
  }
  t.same(
    gateway.emulator.received.filter(({ method }) => method !== 'GET'),
    [],
  )
})

t.test('a keyed create whose body is too large to buffer is refused', async (t) => {
  const gateway = await gatewayFor(t)

  const response = await create(gateway.url, 'large', { description: 'x'.repeat(1100 * 1024) })

  t.equal(response.status, 413)
  t.equal(await code(response), 'GATEWAY_BODY_TOO_LARGE')
  t.equal(gateway.emulator.executions, 0)
})

t.test('a key on a read has no effect', async (t) => {
  const gateway = await gatewayFor(t)

  const response = await fetch(`${gateway.url}/accounts?$top=1`, { headers: { 'idempotency-key': 'anything' } })

  t.equal(response.status, 200)
  t.equal(gateway.emulator.received.at(-1)!.headers['idempotency-key'], undefined)
})

t.test('the definition of a table is read once, as the application user', async (t) => {
  const gateway = await gatewayFor(t)
  gateway.emulator.switches.latency = 20
  const headers = { 'x-user-email': 'adele.vance@contoso.com' }

  await Promise.all(
    Array.from({ length: 5 }, (_, number) => create(gateway.url, `k${number}`, { name: 'Once' }, { headers })),
  )

  const asked = gateway.emulator.received.filter(({ url }) => url.includes('EntityDefinitions'))
  t.equal(asked.length, 1)
  t.equal(asked[0]!.headers['callerobjectid'], undefined)
  t.equal(rowsNamed(gateway, 'Once'), 5)
})

t.test('a table definition that cannot be read is a 502, nothing is sent, and the next create works', async (t) => {
  const gateway = await gatewayFor(t)
  const fault = { kind: 'answer', path: 'EntityDefinitions', body: '{}' } as const
  gateway.emulator.faults.dataverse.push({ ...fault, status: 403 }, { ...fault, status: 200 })

  while (gateway.emulator.faults.dataverse.pending > 0) {
    const failed = await create(gateway.url, 'definition', { name: 'Defined Ltd' })
    t.equal(failed.status, 502)
    t.equal(await code(failed), 'GATEWAY_TABLE_LOOKUP_FAILED')
  }
  t.equal(gateway.emulator.executions, 0)
  t.equal((await create(gateway.url, 'definition', { name: 'Defined Ltd' })).status, 204)
})

t.test('another salt changes the row ids, a rotated secret does not', async (t) => {
  const gateway = await gatewayFor(t)
  gateway.emulator.secrets.add('rotated-secret')
  const rotated = await gatewayForEmulator(t, gateway.emulator, { AZURE_CLIENT_SECRET: 'rotated-secret' })
  const salted = await gatewayForEmulator(t, gateway.emulator, { IDEMPOTENCY_SALT: 'some other salt' })

  const [first, second, third] = [
    await create(gateway.url, 'salt', { name: 'Salt Ltd' }),
    await create(rotated.url, 'salt', { name: 'Salt Ltd' }),
    await create(salted.url, 'salt', { name: 'Salt Ltd' }),
  ]

  t.equal(idIn(first), idIn(second))
  t.not(idIn(first), idIn(third))
})

/** The id at the end of OData-EntityId. */
function idIn({ headers }: Response): string | undefined {
  return /\(([^()]+)\)$/.exec(headers.get('odata-entityid') ?? '')?.[1]
}

t.test('a row with another id than the generated one is not reported as success', async (t) => {
  const gateway = await gatewayFor(t)
  const { url, emulator } = gateway
  // The definition of the table is read, and a create works.
  t.equal((await create(url, 'before', { name: 'Before Ltd' })).status, 204)
  const other = '11111111-2222-4333-8444-555555555555'
  emulator.faults.dataverse.push({
    kind: 'answer',
    status: 204,
    headers: { 'OData-EntityId': `${emulator.environment}/api/data/v9.2/accounts(${other})` },
  })

  const refused = await create(url, 'other', { name: 'Other Ltd' })

  t.equal(refused.status, 502)
  const { error } = (await refused.json()) as { error: { code: string; message: string } }
  t.equal(error.code, 'GATEWAY_KEYED_ROW_ID_DIFFERS')
  t.match(error.message, other, 'the created row is named')
  await until(() => gateway.lines.some(({ level, msg }) => level === 'warn' && /another|differ/.test(String(msg))))
})
