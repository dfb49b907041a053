import { gunzipSync, gzipSync } from 'node:zlib'

import t from 'tap'
import type { Test } from 'tap'
import { request } from 'undici'

import { keyHash } from '../../src/callers/api-key.ts'
import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { userId } from '../support/started-emulator.ts'
import type { Json } from '../support/started-emulator.ts'
import { until } from '../support/until.ts'

// Shared and cached reads, as callers see them.

const ADELE = 'adele.vance@contoso.com'
const ALEX = 'alex.wilber@contoso.com'

t.test('two hundred concurrent identical reads are one call, and one per user', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  await read(url, 'WhoAmI', ADELE)
  await read(url, 'WhoAmI', ALEX)
  // Long enough for all to arrive on a busy machine.
  emulator.switches.latency = 4000
  const before = emulator.load.total
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, index) => read(url, 'WhoAmI', index % 2 === 0 ? ADELE : ALEX)),
  )
  t.equal(emulator.load.total - before, 2)
  for (const [index, { json }] of answers.entries()) {
    t.equal(json.UserId, userId(emulator, index % 2 === 0 ? ADELE : ALEX))
  }
  t.same(tallied(answers), { 'dynamics-gateway; fwd=bypass': 2, 'dynamics-gateway; fwd=bypass; collapsed': 198 })
})

t.test('reads with other headers, writes, and requests that must be sent are not shared', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  await read(url, 'WhoAmI')
  emulator.switches.latency = 300
  const before = emulator.load.total
  const accept = { accept: 'application/json;odata.metadata=none' }
  const answers = await Promise.all([
    read(url, 'accounts?$top=1'),
    read(url, 'accounts?$top=1', undefined, accept),
    read(url, 'accounts?$top=1', undefined, { prefer: 'odata.maxpagesize=1' }),
    read(url, 'accounts?$top=1', undefined, { prefer: 'respond-async' }),
    read(url, 'accounts?$top=1', undefined, { 'cache-control': 'no-cache' }),
    read(url, 'accounts?$top=1', undefined, { 'if-none-match': 'W/"1"' }),
    read(url, 'accounts?$top=1', undefined, { prefer: 'wait=20' }),
    read(url, 'accounts?$top=1 '.trim(), undefined, { 'accept-language': 'de' }),
    post(url, 'contacts', { lastname: 'One' }),
    post(url, 'contacts', { lastname: 'One' }),
    read(url, 'accounts?$top=1', undefined, { prefer: 'Respond-Async' }),
    read(url, 'accounts?$top=1', undefined, { prefer: 'Respond-Async' }),
  ])
  t.equal(emulator.load.total - before, answers.length)
  t.equal(answers[4]!.cacheStatus, 'dynamics-gateway; fwd=request')
  t.equal(answers[8]!.cacheStatus, null)
})

t.test('a caller that disconnects, even the first, does not affect the others', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  await read(url, 'WhoAmI')
  emulator.switches.latency = 300
  const before = emulator.load.total
  const leaving = [new AbortController(), new AbortController()]
  const first = read(url, 'accounts?$top=2', undefined, {}, leaving[0]!.signal)
  first.catch(() => {})
  await until(() => emulator.load.total > before)
  const others = Array.from({ length: 3 }, () => read(url, 'accounts?$top=2'))
  const waiter = read(url, 'accounts?$top=2', undefined, {}, leaving[1]!.signal)
  waiter.catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, 100))
  for (const one of leaving) one.abort()
  await t.rejects(first)
  await t.rejects(waiter)
  for (const answer of await Promise.all(others)) {
    t.equal(answer.status, 200)
    t.equal(answer.json.value?.length, 2)
  }
  t.equal(emulator.load.total - before, 1)
  t.notOk(emulator.received.at(-1)?.aborted)
})

t.test('when all callers have disconnected, the call is cancelled', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  await read(url, 'WhoAmI')
  emulator.faults.dataverse.push({ kind: 'hang', path: 'accounts' })
  const leaving = new AbortController()
  const all = Array.from({ length: 3 }, () => fetch(`${url}/accounts?$top=3`, { signal: leaving.signal }))
  for (const one of all) one.catch(() => {})
  await until(() => emulator.received.some(({ url }) => url.includes('accounts')))
  await new Promise((resolve) => setTimeout(resolve, 100))
  leaving.abort()
  await until(() => emulator.received.some(({ url, aborted }) => url.includes('accounts') && aborted))
  t.equal(emulator.received.filter(({ url }) => url.includes('accounts')).length, 1)
})

t.test('a failed call fails for all callers, and is not cached', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  await read(url, 'WhoAmI')
  emulator.switches.latency = 200
  emulator.faults.dataverse.push({ kind: 'answer', status: 418, body: '{"error":{"code":"0x1","message":"no"}}' })
  const before = emulator.load.total
  const answers = await Promise.all(Array.from({ length: 20 }, () => read(url, 'accounts?$top=4')))
  t.same([...new Set(answers.map(({ status }) => status))], [418])
  t.equal(emulator.load.total - before, 1)
  t.equal((await read(url, 'accounts?$top=4')).status, 200)
})

t.test('a truncated body fails for all callers', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  await read(url, 'WhoAmI')
  emulator.switches.latency = 200
  emulator.fill('contacts', 500)
  emulator.faults.dataverse.push({ kind: 'half', path: 'contacts' })
  const answers = await Promise.all(Array.from({ length: 5 }, () => read(url, 'contacts').catch(() => undefined)))
  t.same([...new Set(answers.map((answer) => answer?.status))], [502])
})

t.test('a response too long to share goes to the first caller, and the others make their own calls', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  await read(url, 'WhoAmI')
  emulator.fill('contacts', 3000)
  emulator.switches.latency = 300
  const before = emulator.load.total
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => read(url, 'contacts', undefined, { 'accept-encoding': 'identity' })),
  )
  t.equal(emulator.load.total - before, 4)
  t.ok(answers[0]!.text.length > 1024 * 1024)
  t.same([...new Set(answers.map(({ text }) => text.length))], [answers[0]!.text.length])
})

t.test('definitions are cached per user until they change', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const path = "EntityDefinitions(LogicalName='account')/Attributes"
  const first = await read(url, path, ADELE)
  t.equal(first.cacheStatus, 'dynamics-gateway; fwd=uri-miss')
  const again = await read(url, path, ADELE)
  t.match(again.cacheStatus, /^dynamics-gateway; hit; ttl=\d+$/)
  t.equal(again.text, first.text)
  t.equal(again.headers.get('age'), '0')
  t.equal(again.headers.get('set-cookie'), null)
  t.equal(again.headers.get('req_id'), null)
  t.match((await read(url, path, ALEX)).cacheStatus, /fwd=uri-miss/)
  t.match((await read(url, path)).cacheStatus, /fwd=uri-miss/)
  t.match(
    (await read(url, path, ADELE, { accept: 'application/json;odata.metadata=none' })).cacheStatus,
    /fwd=uri-miss/,
  )
  t.equal((await read(url, path, ADELE, { 'cache-control': 'no-cache' })).cacheStatus, 'dynamics-gateway; fwd=request')
  t.equal((await read(url, path, ADELE, { pragma: 'No-Cache' })).cacheStatus, 'dynamics-gateway; fwd=request')
  t.equal((await read(url, path, ADELE, { consistency: 'Strong' })).cacheStatus, 'dynamics-gateway; fwd=request')

  const column = { '@odata.type': 'Microsoft.Dynamics.CRM.StringAttributeMetadata', SchemaName: 'new_Colour' }
  t.equal((await post(url, path, column)).status, 204)
  const changed = await read(url, path, ADELE)
  t.match(changed.cacheStatus, /fwd=uri-miss/)
  t.match(changed.text, /new_colour/)
  t.equal((await read(url, path, ADELE)).text, changed.text)
  t.equal((await post(url, 'PublishAllXml', {})).status, 204)
  t.match((await read(url, path, ADELE)).cacheStatus, /fwd=uri-miss/)
  t.equal(emulator.received.filter(({ url }) => url.includes('RetrieveMetadataChanges')).length, 1)
})

t.test('$metadata is cached compressed, and sent in a coding that the caller accepts', async (t) => {
  const { url } = await gatewayFor(t)
  const identity = { 'accept-encoding': 'identity' }
  const first = await read(url, '$metadata', undefined, identity)
  t.equal(first.headers.get('content-encoding'), null)
  for (const accepted of ['identity', 'gzip', 'br', 'gzip, deflate, br']) {
    const answer = await read(url, '$metadata', undefined, { 'accept-encoding': accepted })
    t.match(answer.cacheStatus, /hit/)
    t.equal(answer.headers.get('content-encoding'), accepted.includes('gzip') ? 'gzip' : null)
    t.equal(answer.text, first.text)
  }
})

t.test('while Dynamics is down, cached definitions are sent with their Age', async (t) => {
  const { url, emulator } = await gatewayFor(t, { SCHEMA_CACHE: '1ms' })
  const path = 'EntityDefinitions?$select=LogicalName'
  const first = await read(url, path)
  await until(() => emulator.received.some(({ url, status }) => url.includes('RetrieveMeta') && status === 200))
  emulator.faults.dataverse.push({ kind: 'html', status: 503, times: 100 })
  const stale = await read(url, path)
  t.equal(stale.status, 200)
  t.equal(stale.text, first.text)
  t.match(stale.cacheStatus, /^dynamics-gateway; hit; ttl=-\d+$/)
  t.match(stale.headers.get('age'), /^\d+$/)
  t.equal((await read(url, 'accounts?$top=1')).status, 503)
  t.equal((await read(url, path, undefined, { 'cache-control': 'no-cache' })).status, 503)
})

t.test('while changes of definitions cannot be read, old ones are served, and no check follows at once', async (t) => {
  const { url, checks, emulator, first } = await gatewayWithConfirmed(t)
  emulator.faults.dataverse.always({ kind: 'unavailable', retryAfter: 30, path: CHECK })
  await until(async () => {
    t.match((await read(url, DEFINITIONS)).cacheStatus, /; hit; /)
    return checks(503) === 1
  })
  const stale = await read(url, DEFINITIONS)
  t.match(stale.cacheStatus, /; hit; ttl=-1/)
  t.equal(stale.text, first)
  t.equal(checks(503), 1)
})

t.test('definitions are fetched again when Dynamics has forgotten the stamp, or refuses to compare', async (t) => {
  for (const [status, code] of [
    [400, '0x80044352'],
    [403, '0x80040220'],
  ] as const) {
    const { url, emulator } = await gatewayWithConfirmed(t)
    const body = JSON.stringify({ error: { code, message: 'no' } })
    emulator.faults.dataverse.push({ kind: 'answer', path: CHECK, status, body })
    let answer: Read | undefined
    await until(async () => {
      answer = await read(url, DEFINITIONS)
      return emulator.faults.dataverse.pending === 0
    })
    t.equal(answer!.cacheStatus, 'dynamics-gateway; fwd=stale', code)
  }
})

const DEFINITIONS = 'EntityDefinitions?$select=LogicalName'
const CHECK = 'RetrieveMetadataChanges'

/** A gateway with definitions in memory that each read has to confirm, and that a check has confirmed. */
async function gatewayWithConfirmed(
  t: Test,
): Promise<Fixture & { readonly checks: (status: number) => number; readonly first: string }> {
  const fixture = await gatewayFor(t, { SCHEMA_CACHE: '1ms' })
  const { url, emulator } = fixture
  const checks = (status: number): number =>
    emulator.received.filter((one) => one.url.includes(CHECK) && one.status === status).length
  const { text: first } = await read(url, DEFINITIONS)
  // The first check gives the stamp, and the second one compares it.
  await until(async () => {
    await read(url, DEFINITIONS)
    return checks(200) === 2
  })
  return { ...fixture, checks, first }
}

t.test('SCHEMA_CACHE=0s disables the cache', async (t) => {
  const { url, emulator } = await gatewayFor(t, { SCHEMA_CACHE: '0s' })
  for (let count = 0; count < 2; count++) {
    t.equal((await read(url, '$metadata')).cacheStatus, 'dynamics-gateway; fwd=bypass')
  }
  t.same(
    emulator.received.filter(({ url }) => url.includes('RetrieveMetadataChanges')),
    [],
  )
})

t.test('a known row is revalidated with its ETag, and never stale', async (t) => {
  const { url, emulator } = await gatewayWithReads(t, { revalidate: true })
  const [row] = emulator.rows('accounts')
  const path = `accounts(${String(row!['accountid'])})?$select=name,telephone1`
  const first = await read(url, path, ADELE)
  t.equal(first.cacheStatus, 'dynamics-gateway; fwd=uri-miss')
  const again = await read(url, path, ADELE, { 'if-none-match': 'null' })
  t.equal(again.status, 200)
  t.equal(again.cacheStatus, 'dynamics-gateway; fwd=stale; fwd-status=304')
  t.equal(again.text, first.text)
  t.equal(again.headers.get('etag'), first.headers.get('etag'))
  t.not(again.headers.get('req_id'), first.headers.get('req_id'))
  t.equal(emulator.received.at(-1)?.status, 304)
  t.match((await read(url, path, ALEX)).cacheStatus, /fwd=uri-miss/, 'one call per user')

  emulator.put('accounts', { ...row, name: 'Changed elsewhere' })
  const changed = await read(url, path, ADELE)
  t.match(changed.json, { name: 'Changed elsewhere' })
  t.equal(changed.cacheStatus, 'dynamics-gateway; fwd=stale; fwd-status=200')
  t.equal((await read(url, path, ADELE)).json.name, 'Changed elsewhere')
  t.equal((await read(url, path, ADELE, { 'if-none-match': first.headers.get('etag')! })).status, 200)
  t.equal((await read(url, path, ADELE, { 'if-none-match': changed.headers.get('etag')! })).status, 304)
  t.equal((await read(url, `accounts(${String(row!['accountid'])})?$expand=primarycontactid`)).cacheStatus, BYPASS)
  t.equal((await read(url, path, ADELE, { prefer: 'odata.include-annotations="*"' })).cacheStatus, BYPASS)
})

const BYPASS = 'dynamics-gateway; fwd=bypass'

t.test('listed tables are cached until a write', async (t) => {
  const { url, emulator } = await gatewayWithReads(t, { keep: [{ entitySets: ['accounts'], for: '1h' }] })
  const path = 'accounts?$select=name&$top=3'
  const fresh = async (): Promise<boolean> => !/; hit/.test((await read(url, path, ADELE)).cacheStatus ?? '')
  t.ok(await fresh())
  t.notOk(await fresh())
  t.match((await read(url, path, ALEX)).cacheStatus, /fwd=uri-miss/, 'each user has its own entry')
  const [row] = emulator.rows('accounts')
  const account = `accounts(${String(row!['accountid'])})`

  for (const [what, write, drops] of [
    ['a create', () => post(url, 'accounts', { name: 'New' }), true],
    ['a create in another table', () => post(url, 'contacts', { lastname: 'New' }), false],
    ['an update', () => post(url, account, { name: 'Changed' }, 'PATCH'), true],
    [
      'an update in another table',
      () => post(url, `contacts(${someContact(emulator)})`, { jobtitle: 'x' }, 'PATCH'),
      false,
    ],
    ['a reference', () => post(url, `${account}/primarycontactid/$ref`, undefined, 'DELETE'), true],
    ['an action', () => post(url, 'sample_ExportAccounts', {}), true],
    ['an update of a user', () => post(url, `systemusers(${someUser(emulator)})`, { jobtitle: 'x' }, 'PATCH'), true],
    ['a refused update', () => post(url, account, { nothing: 1 }, 'PATCH'), true],
    ['a batch that only reads', () => batch(url, `GET /api/data/v9.2/${account} HTTP/1.1\r\n`), false],
    ['a batch that deletes', () => batch(url, `DELETE /api/data/v9.2/${account} HTTP/1.1\r\n`), true],
  ] as const) {
    await read(url, path, ADELE)
    await write()
    t.equal(await fresh(), drops, what)
  }
  t.equal((await read(url, 'accounts?$expand=primarycontactid&$top=1')).cacheStatus, BYPASS)
  t.equal((await read(url, 'contacts?$top=1')).cacheStatus, BYPASS)
})

t.test('annotations with names of other rows are as fresh as those rows', async (t) => {
  const { url, emulator } = await gatewayWithReads(t, { keep: [{ entitySets: ['accounts'], for: '1h' }] })
  const path = 'accounts?$select=_primarycontactid_value&$top=3'
  const annotated = { prefer: 'odata.include-annotations="*"' }
  t.match((await read(url, path, ADELE, annotated)).text, /_primarycontactid_value@OData[\w.]+FormattedValue/)
  await read(url, path, ADELE)
  t.match((await read(url, path, ADELE, annotated)).cacheStatus, /hit/)

  t.equal((await post(url, `contacts(${someContact(emulator)})`, { lastname: 'New' }, 'PATCH')).status, 204)

  t.match((await read(url, path, ADELE, annotated)).cacheStatus, /fwd=uri-miss/)
  t.match((await read(url, path, ADELE)).cacheStatus, /hit/, 'without annotations nothing has changed')
})

t.test('a read whose key would be too long is not kept', async (t) => {
  const { url } = await gatewayWithReads(t, { keep: [{ entitySets: ['accounts'], for: '1h' }] })
  const path = `accounts?$select=name&$filter=${Array.from({ length: 300 }, () => "name ne 'a name that nobody has'").join(' and ')}`
  for (let count = 0; count < 2; count++) {
    const answer = await read(url, path)
    t.equal(answer.status, 200)
    t.equal(answer.cacheStatus, BYPASS)
  }
})

t.test('a count of 0 and an error are not cached', async (t) => {
  const { url } = await gatewayWithReads(t, { keep: [{ entitySets: ['accounts'], for: '1h' }] })
  for (const path of [
    "accounts/$count?$filter=name eq 'nobody'",
    "accounts?$count=true&$filter=name eq 'nobody'",
    'accounts?$filter=nothing eq 1',
  ]) {
    await read(url, path)
    t.notMatch((await read(url, path)).cacheStatus, /hit/, path)
  }
  await read(url, 'accounts/$count')
  t.match((await read(url, 'accounts/$count')).cacheStatus, /hit/)
})

t.test('a user whom Dynamics refuses gets no cached rows, and others still do', async (t) => {
  const { url, emulator } = await gatewayWithReads(t, { keep: [{ entitySets: ['accounts'], for: '1h' }] })
  for (const user of [ADELE, ALEX]) await read(url, 'accounts?$top=1', user)
  t.match((await read(url, 'accounts?$top=1', ADELE)).cacheStatus, /; hit/)

  emulator.switches.organization = 'disabled'
  t.equal((await read(url, 'contacts?$top=1', ADELE)).status, 403)

  t.equal((await read(url, 'accounts?$top=1', ADELE)).status, 403)
  t.match((await read(url, 'accounts?$top=1', ALEX)).cacheStatus, /; hit/)
  emulator.switches.organization = 'enabled'
  t.match((await read(url, 'accounts?$top=1', ADELE)).cacheStatus, /fwd=uri-miss/)
})

/** The status of a new response for Adele. */
async function statusOf(url: string, path: string): Promise<number> {
  const headers = { 'x-user-email': ADELE, 'cache-control': 'no-cache' }
  const { status, body } = await fetch(`${url}/${path}`, { headers })
  await body?.cancel()
  return status
}

/** The codes for a missing privilege, and for a user without any role. */
const [NO_PRIVILEGE, NO_ROLES] = ['0x80040220', '0x80042f09']

t.test('a refusal evicts the rows that it concerns, and no definitions', async (t) => {
  const { url, emulator } = await gatewayWithReads(t, { keep: [{ entitySets: ['accounts', 'contacts'], for: '1h' }] })
  const json = { 'content-type': 'application/json' }
  const [accounts, contacts, definitions] = ['accounts?$top=1', 'contacts?$top=1', 'EntityDefinitions?$top=1']
  const isKept = async (path: string): Promise<boolean> =>
    /; hit/.test((await read(url, path, ADELE)).cacheStatus ?? '')
  const removedBy = async (path: string, body: string | Buffer, headers: Record<string, string>): Promise<string[]> => {
    for (const kept of [accounts, contacts, definitions]) await read(url, kept, ADELE)
    emulator.faults.dataverse.push({ kind: 'answer', status: 403, body, headers })
    t.equal(await statusOf(url, path), 403, path)
    const removed: string[] = []
    for (const kept of [accounts, contacts, definitions]) if (!(await isKept(kept))) removed.push(kept)
    return removed
  }
  const error = (code: string): string => JSON.stringify({ error: { code, message: 'Refused.' } })
  const refusal = error(NO_PRIVILEGE)

  t.same(await removedBy(accounts, refusal, json), [accounts])
  t.same(await removedBy('tasks?$top=1', refusal, json), [], 'a table that is not cached')
  t.same(await removedBy('accounts?$expand=primarycontactid', refusal, json), [accounts, contacts])
  t.same(await removedBy('WhoAmI', refusal, json), [accounts, contacts], 'a function')
  t.same(await removedBy(accounts, error(NO_ROLES), json), [accounts, contacts])
  t.same(await removedBy(accounts, 'x'.repeat(100_000), json), [accounts, contacts], 'a refusal without a code')
  t.same(
    await removedBy(accounts, refusal, { ...json, 'content-encoding': 'zstd' }),
    [accounts, contacts],
    'a refusal that cannot be read',
  )
  t.same(await removedBy(accounts, gzipSync(refusal), { ...json, 'content-encoding': 'gzip' }), [accounts])
  t.same(await removedBy(accounts, '', {}), [accounts, contacts], 'a refusal without a body')
  t.same(await removedBy(definitions, refusal, json), [accounts, contacts])
})

t.test('a firewall page evicts nothing, and a truncated refusal evicts all rows of the user', async (t) => {
  const { url, emulator } = await gatewayWithReads(t, { keep: [{ entitySets: ['accounts'], for: '1h' }] })
  const kept = async (): Promise<string | null> => (await read(url, 'accounts?$top=1', ADELE)).cacheStatus
  await kept()
  for (const headers of [{ 'content-type': 'text/html' }, { 'content-type': 'application/json' }]) {
    emulator.faults.dataverse.push({ kind: 'answer', status: 403, body: '<html>Blocked</html>', headers })
    t.equal(await statusOf(url, 'contacts?$top=1'), 403)
    t.match(await kept(), /; hit/)
  }

  emulator.switches.organization = 'disabled'
  emulator.faults.dataverse.push({ kind: 'half' })
  t.equal(await statusOf(url, 'contacts?$top=1'), 502)
  emulator.switches.organization = 'enabled'
  t.match(await kept(), /fwd=uri-miss/)
})

t.test('a 401 that a new token does not fix evicts all rows of the user', async (t) => {
  const { url, emulator } = await gatewayWithReads(t, { keep: [{ entitySets: ['accounts'], for: '1h' }] })
  const cacheStatus = async (user: string): Promise<string | null> =>
    (await read(url, 'accounts?$top=1', user)).cacheStatus
  for (const user of [ADELE, ALEX]) await cacheStatus(user)

  emulator.faults.dataverse.push({ kind: 'challenge', path: 'contacts', times: 1 })
  t.equal(await statusOf(url, 'contacts?$top=1'), 200)
  t.match(await cacheStatus(ADELE), /; hit/, 'the new token was accepted')

  emulator.faults.dataverse.push({ kind: 'challenge', path: 'contacts', times: 2 })
  t.equal(await statusOf(url, 'contacts?$top=1'), 502)
  t.match(await cacheStatus(ADELE), /fwd=uri-miss/)
  t.match(await cacheStatus(ALEX), /; hit/)
})

t.test('Cache-Control of a request limits what the cache may answer', async (t) => {
  const { url, emulator } = await gatewayWithReads(t, {
    revalidate: true,
    keep: [{ entitySets: ['accounts'], for: '1h' }],
  })
  const [row] = emulator.rows('contacts')
  const known = `contacts(${String(row!['contactid'])})`
  const statusOf = async (path: string, cacheControl: string): Promise<string | null> =>
    (await read(url, path, ADELE, { 'cache-control': cacheControl })).cacheStatus
  const outcomeOf = async (path: string): Promise<unknown[]> => {
    const { status, json } = await read(url, path, ADELE, { 'cache-control': 'only-if-cached' })
    return [status, (json['error'] as Json | undefined)?.['code']]
  }
  const notThere = [504, 'GATEWAY_NOT_IN_MEMORY']
  await read(url, 'WhoAmI', ADELE)

  for (const path of ['accounts?$top=1', 'EntityDefinitions?$top=1', known, 'contacts?$top=1']) {
    const before = emulator.load.total
    t.same(await outcomeOf(path), notThere, path)
    t.equal(emulator.load.total, before, 'nothing was sent')
  }
  t.match(await statusOf('accounts?$top=1', 'no-store'), /fwd=request/)
  t.same(await outcomeOf('accounts?$top=1'), notThere, 'no-store is not cached')
  for (const path of ['accounts?$top=1', 'EntityDefinitions?$top=1']) {
    t.match(await statusOf(path, 'no-cache'), /fwd=request/)
    t.same(await outcomeOf(path), [200, undefined], 'no-cache is')
    t.match(await statusOf(path, 'max-age=3000, min-fresh=1'), /; hit/)
    t.match(await statusOf(path, 'max-age=0'), /fwd=request/)
    t.match(await statusOf(path, 'min-fresh=7200'), /fwd=request/)
    // Until the Age is over one second.
    await until(async () => Number((await read(url, path, ADELE)).headers.get('age')) >= 1)
    t.match(await statusOf(path, 'max-age=1'), /fwd=request/)
    t.match(await statusOf(path, 'max-age=1'), /; hit/, 'the returned row is cached')
  }
  await read(url, known, ADELE)
  t.match(await statusOf(known, 'max-age=1'), /fwd-status=304/, 'Dynamics confirms it each time')
  t.same(await outcomeOf(known), notThere)

  const { statusCode } = await request(`${url}/accounts?$top=1`, {
    method: 'HEAD',
    headers: { 'cache-control': 'only-if-cached' },
  })
  t.equal(statusCode, 504)
})

t.test('a caller that limits the age gets nothing older, even while Dynamics is down', async (t) => {
  const { url, emulator } = await gatewayFor(t, { SCHEMA_CACHE: '1ms' })
  const path = 'EntityDefinitions?$select=LogicalName'
  const statusOf = async (cacheControl: string): Promise<number> =>
    (await read(url, path, undefined, { 'cache-control': cacheControl })).status
  await read(url, path)
  await until(() => emulator.received.some(({ url, status }) => url.includes('RetrieveMeta') && status === 200))
  emulator.faults.dataverse.push({ kind: 'html', status: 503, times: 10_000 })
  await until(async () => Number((await read(url, path)).headers.get('age')) >= 1)
  t.equal(await statusOf('max-age=600'), 200)
  t.equal(await statusOf('max-age=1'), 503)
  t.equal(await statusOf('min-fresh=1'), 503)
  t.equal(await statusOf('only-if-cached'), 504)
})

t.test('a shared table is read once for all users', async (t) => {
  const { url } = await gatewayWithReads(t, { keep: [{ entitySets: ['accounts'], for: '1h', shared: true }] })
  const first = await read(url, 'accounts?$top=2', ADELE)
  const other = await read(url, 'accounts?$top=2', ALEX)
  t.match(other.cacheStatus, /hit/)
  t.equal(other.text, first.text)
})

t.test('the cache is used only after authentication and rules', async (t) => {
  const key = 'a-key-that-is-long-enough-to-be-one'
  const other = 'another-key-that-is-long-enough-to-be'
  const { url } = await gatewayWithFile(t, (credential) => ({
    callers: [
      { name: 'reads', keys: [keyHash(key)], users: ['*'] },
      { name: 'no-accounts', keys: [keyHash(other)], rules: ['deny * accounts'] },
    ],
    targets: [
      {
        url: 'https://contoso.crm4.dynamics.com',
        credential,
        reads: { keep: [{ entitySets: ['accounts'], for: '1h' }] },
      },
    ],
  }))
  await read(url, 'accounts?$top=1', undefined, { 'x-api-key': key })
  t.match((await read(url, 'accounts?$top=1', undefined, { 'x-api-key': key })).cacheStatus, /hit/)
  t.equal((await read(url, 'accounts?$top=1', undefined, { 'x-api-key': other })).status, 403)
  t.equal((await read(url, 'accounts?$top=1')).status, 401)
  t.equal((await read(url, 'accounts?$top=1', 'nobody@contoso.com', { 'x-api-key': key })).status, 403)
})

t.test('links have the host that each caller used', async (t) => {
  const { url } = await gatewayWithReads(t, { keep: [{ entitySets: ['accounts'], for: '1h' }] })
  const other = url.replace('127.0.0.1', 'localhost')
  t.match((await read(url, 'accounts?$top=1')).json['@odata.context'], url)
  const answer = await read(other, 'accounts?$top=1')
  t.match(answer.cacheStatus, /hit/)
  t.match(answer.json['@odata.context'], other)
})

t.test('the log and the metrics say where a response came from', async (t) => {
  const fixture = await gatewayFor(t)
  await read(fixture.url, '$metadata')
  await read(fixture.url, '$metadata')
  const sources = (): unknown[] =>
    fixture.lines.filter(({ entitySet }) => entitySet === '$metadata').map(({ source }) => source)
  await until(() => sources().length === 2)
  t.same(sources(), [undefined, 'memory'])
  const metrics = await (await fetch(`${fixture.url}/-/metrics`)).text()
  t.match(metrics, /gateway_reads_total\{target="dynamics",source="memory"\} 1/)
  t.match(metrics, /gateway_reads_total\{target="dynamics",source="dynamics"\} 1/)
  t.match(metrics, /gateway_memory_responses 1/)
  t.match(metrics, /gateway_memory_bytes \d{3,}/)
})

interface Read {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Json
  readonly cacheStatus: string | null
}

async function read(
  url: string,
  path: string,
  user?: string,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Read> {
  // Not `fetch`, which adds `Cache-Control: no-cache` to conditional requests, as browsers do.
  const {
    statusCode,
    headers: received,
    body,
  } = await request(`${url}/${path}`, {
    signal: signal ?? null,
    headers: { ...(user === undefined ? {} : { 'x-user-email': user }), 'accept-encoding': 'gzip', ...headers },
  })
  const bytes = Buffer.from(await body.arrayBuffer())
  const text = received['content-encoding'] === 'gzip' ? gunzipSync(bytes).toString() : bytes.toString()
  return answerOf(statusCode, new Headers(received as Record<string, string>), text)
}

async function answered(response: Response): Promise<Read> {
  return answerOf(response.status, response.headers, await response.text())
}

function answerOf(status: number, headers: Headers, text: string): Read {
  const isJson = /json/.test(headers.get('content-type') ?? '') && text !== ''
  return {
    status,
    headers,
    text,
    json: isJson ? (JSON.parse(text) as Json) : {},
    cacheStatus: headers.get('cache-status'),
  }
}

async function post(url: string, path: string, body: object | undefined, method = 'POST'): Promise<Read> {
  const content = body === undefined ? {} : { body: JSON.stringify(body) }
  return answered(
    await fetch(`${url}/${path}`, { method, headers: { 'content-type': 'application/json' }, ...content }),
  )
}

async function batch(url: string, request: string): Promise<Read> {
  const part = 'Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n'
  return answered(
    await fetch(`${url}/$batch`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/mixed; boundary=b' },
      body: `--b\r\n${part}\r\n${request}\r\n\r\n--b--\r\n`,
    }),
  )
}

function someUser(emulator: Fixture['emulator']): string {
  return String(emulator.rows('systemusers')[0]!['systemuserid'])
}

function someContact(emulator: Fixture['emulator']): string {
  return String(emulator.rows('contacts')[0]!['contactid'])
}

function tallied(answers: readonly Read[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { cacheStatus } of answers) counts[String(cacheStatus)] = (counts[String(cacheStatus)] ?? 0) + 1
  return counts
}

function gatewayWithReads(t: Test, reads: object): Promise<Fixture> {
  return gatewayWithFile(t, (credential) => ({
    targets: [{ url: 'https://contoso.crm4.dynamics.com', credential, reads }],
  }))
}
