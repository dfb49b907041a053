import t from 'tap'
import type { Test } from 'tap'

import { startEmulator } from '../../emulator/emulator.ts'
import { loadSettings } from '../../src/config/load.ts'
import { connect } from '../../src/dynamics/connect.ts'
import { RequestRecord } from '../../src/dynamics/request-record.ts'
import { inProcess } from '../../src/replicas/in-process.ts'
import { userDirectory } from '../../src/users/directory.ts'
import { preloadUsers } from '../../src/users/preloaded-users.ts'
import type { PreloadLimits } from '../../src/users/preloaded-users.ts'
import { memoryLog } from '../support/authority.ts'
import { objectId, userId } from '../support/started-emulator.ts'
import { until } from '../support/until.ts'

const ADELE = 'adele.vance@contoso.com'
const ALEX = 'alex.wilber@contoso.com'
const HOUR = 3_600_000

t.test('the first calls need no lookup, whether users are named by address or by id', async (t) => {
  const { emulator, preloaded, directory, systemUsers, asker } = await preloadedBy(t, {}, { pageSize: 20 })
  await until(() => preloaded.state().status === 'ready')
  t.equal(preloaded.state().users, emulator.rows('systemusers').length)
  t.ok(systemUsers() >= 6, 'it was read by pages')
  const before = systemUsers()
  for (const named of [
    { email: ADELE },
    { email: ADELE.toUpperCase() },
    { email: 'Lee.Gu@contoso.com' },
    { email: 'miriam.graham@contoso.com' },
    { objectId: objectId(emulator, ADELE) },
  ]) {
    const found = directory.find(named, asker)
    t.notOk(found instanceof Promise, JSON.stringify(named))
  }
  t.match(directory.find({ email: ADELE }, asker), { systemUserId: userId(emulator, ADELE), address: ADELE })
  t.equal(systemUsers(), before)
  t.equal(directory.cached().users, preloaded.state().users)
  t.same(directory.preloadState?.(), preloaded.state())
})

t.test('a name that does not identify one enabled person is looked up, and refused as usual', async (t) => {
  const { preloaded, directory, asker } = await preloadedBy(t)
  await until(() => preloaded.state().status === 'ready')
  for (const [email, code] of [
    ['nobody@contoso.com', 'GATEWAY_USER_UNKNOWN'],
    ['nestor.wilke@contoso.com', 'GATEWAY_USER_DISABLED'],
    ['megan.bowen@contoso.com', 'GATEWAY_USER_AMBIGUOUS'],
    ['support@contoso.com', 'GATEWAY_USER_NOT_PERSON'],
  ] as const) {
    await t.rejects(Promise.resolve(directory.find({ email }, asker)), { code }, email)
    t.throws(() => directory.find({ email }, asker), { code }, `${email} is remembered`)
  }
})

t.test(
  'changes are read while there is traffic: a disabled user is refused, and a new address is accepted',
  async (t) => {
    const { emulator, preloaded, directory, asker, systemUsers } = await preloadedBy(t, { poll: 20, maxAge: HOUR })
    await until(() => preloaded.state().status === 'ready')
    t.match(directory.find({ email: ADELE }, asker), { objectId: objectId(emulator, ADELE) })
    let changes = 0
    preloaded.onChange(() => changes++)
    const row = (address: string) =>
      emulator.rows('systemusers').find((one) => one['internalemailaddress'] === address)!
    emulator.put('systemusers', { ...row(ADELE), isdisabled: true })
    emulator.put('systemusers', { ...row(ALEX), internalemailaddress: 'alex.new@contoso.com' })
    await until(() => {
      const found = preloaded.find({ email: ADELE })
      return found === undefined
    })
    await t.rejects(Promise.resolve(directory.find({ email: ADELE }, asker)), { code: 'GATEWAY_USER_DISABLED' })
    t.match(preloaded.find({ email: 'alex.new@contoso.com' }), { objectId: objectId(emulator, 'alex.new@contoso.com') })
    t.equal(preloaded.find({ email: ALEX }), undefined)
    t.ok(changes > 0, 'other replicas are notified')

    let idle = -1
    await until(async () => {
      const before = systemUsers()
      await new Promise((resolve) => setTimeout(resolve, 100))
      idle = systemUsers() - before
      return idle === 0
    })
    t.equal(idle, 0, 'nothing is read while nobody asks')
  },
)

t.test('a deleted user is refused', async (t) => {
  const { emulator, preloaded, systemUsers } = await preloadedBy(t, { poll: 10, maxAge: HOUR })
  await until(() => preloaded.state().status === 'ready')
  const users = preloaded.state().users
  emulator.faults.dataverse.push({
    kind: 'answer',
    path: 'deltatoken',
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      '@odata.deltaLink': `${emulator.environment}/api/data/v9.2/systemusers?$deltatoken=1%21`,
      value: [
        { '@odata.context': 'x/$metadata#systemusers/$deletedEntity', id: userId(emulator, ADELE), reason: 'deleted' },
      ],
    }),
  })
  const before = systemUsers()
  await until(() => preloaded.find({ email: ADELE }) === undefined && systemUsers() > before)
  t.equal(preloaded.state().users, users - 1)
})

t.test('after a time without requests, the first one waits until the users are up to date', async (t) => {
  const { emulator, preloaded, directory, asker } = await preloadedBy(t, { poll: HOUR, maxAge: 0 })
  await until(() => preloaded.state().status === 'ready')
  const row = emulator.rows('systemusers').find((one) => one['internalemailaddress'] === ADELE)!
  emulator.put('systemusers', { ...row, isdisabled: true })
  const [one, two] = [directory.find({ email: ADELE }, asker), directory.find({ email: ADELE }, asker)]
  for (const found of [one, two]) await t.rejects(Promise.resolve(found), { code: 'GATEWAY_USER_DISABLED' })
})

t.test('earlier lookups are not used once users are preloaded', async (t) => {
  const { emulator, preloaded, directory, asker } = await preloadedBy(t, { poll: 10, maxAge: HOUR }, { start: false })
  t.match(await directory.find({ email: ADELE }, asker), { objectId: objectId(emulator, ADELE) })
  t.notOk(directory.find({ email: ADELE }, asker) instanceof Promise, 'remembered')
  const row = emulator.rows('systemusers').find((one) => one['internalemailaddress'] === ADELE)!
  emulator.put('systemusers', { ...row, isdisabled: true })
  preloaded.start()
  await until(() => preloaded.state().status === 'ready')
  await t.rejects(Promise.resolve(directory.find({ email: ADELE }, asker)), { code: 'GATEWAY_USER_DISABLED' })
})

t.test('a row that changes while the pages are read is read again', async (t) => {
  const { emulator, preloaded } = await preloadedBy(t, { poll: HOUR, maxAge: HOUR }, { pageSize: 20, start: false })
  const row = emulator.rows('systemusers').find((one) => one['internalemailaddress'] === ADELE)!
  const last = emulator.faults.dataverse
  last.push({ kind: 'delay', path: 'skiptoken', ms: 200 })
  preloaded.start()
  await until(() => emulator.received.some(({ url }) => url.includes('skiptoken')))
  emulator.put('systemusers', { ...row, isdisabled: true, modifiedon: new Date().toISOString().replace(/\.\d+/, '') })
  await until(() => preloaded.state().status === 'ready')
  t.equal(preloaded.find({ email: ADELE }), undefined)
})

t.test(
  'without the privilege, without change tracking, or with too many users, users are looked up, and one log line says why',
  async (t) => {
    for (const [prepare, reason] of [
      [(emulator: Started) => (emulator.switches.mayReadUsers = false), /prvReadUser/],
      [(emulator: Started) => (emulator.switches.untracked = ['systemusers']), /change tracking is switched off/],
      [untrackedUndefined, /400/],
      [(emulator: Started) => answerWith(emulator, { value: [] }), /no delta link/],
      [(emulator: Started) => emulator.fill('systemusers', 1000), /more than 1000 users/],
    ] as const) {
      const { emulator, preloaded, directory, asker, log } = await preloadedBy(t, {}, { start: false })
      prepare(emulator)
      preloaded.start()
      await until(() => preloaded.state().status === 'off')
      t.match(preloaded.state(), { users: 0, reason })
      t.equal(preloaded.inUse(), false)
      emulator.switches.mayReadUsers = true
      emulator.faults.clear()
      t.match(await directory.find({ email: ALEX }, asker), { objectId: objectId(emulator, ALEX) })
      t.notOk(directory.find({ email: ALEX }, asker) instanceof Promise, 'remembered as if not preloaded')
      t.equal(log.lines.filter(({ sentence }) => sentence.startsWith('users are not preloaded')).length, 1)
    }

    function untrackedUndefined(emulator: Started): void {
      emulator.switches.untracked = ['systemusers']
      emulator.faults.dataverse.push({ kind: 'answer', path: 'EntityDefinitions', status: 403, body: '{}' })
    }
  },
)

t.test('a lost delta link is replaced by reading all users again; meanwhile they are looked up', async (t) => {
  const { emulator, preloaded, log } = await preloadedBy(t, { poll: 10, maxAge: HOUR, retry: 10 })
  await until(() => preloaded.state().status === 'ready')
  emulator.switches.deltaLinks = 'expired'
  await until(() => {
    void preloaded.find({ email: ADELE })
    return log.lines.some(({ sentence }) => sentence.startsWith('the delta link of users has expired'))
  })
  emulator.switches.deltaLinks = 'valid'
  await until(() => preloaded.state().status === 'ready')
  t.match(preloaded.find({ email: ADELE }), { objectId: objectId(emulator, ADELE) })
})

t.test('temporary failures are retried; users that are out of date are looked up meanwhile', async (t) => {
  const { emulator, preloaded, log } = await preloadedBy(t, { poll: 5, maxAge: 50, retry: 10 }, { start: false })
  answerWith(emulator, { value: [{ fullname: 'no id' }] }, 2)
  preloaded.start()
  await until(() => preloaded.state().status === 'ready')
  t.equal(log.lines.filter(({ sentence }) => sentence.startsWith('changes of users could not be read')).length, 1)

  for (const body of [
    { value: 'none' },
    { value: [] },
    { value: [], '@odata.nextLink': 'https://elsewhere.example/api/data/v9.2/accounts?x' },
    { value: [], '@odata.nextLink': 7 },
    'not JSON',
  ]) {
    emulator.faults.clear()
    await until(async () => (await preloaded.find({ email: ADELE })) !== undefined)
    answerWith(emulator, body, 1000)
    await until(async () => (await preloaded.find({ email: ADELE })) === undefined)
    t.equal(preloaded.inUse(), true)
  }
  emulator.faults.clear()
  await until(async () => (await preloaded.find({ email: ADELE })) !== undefined)
})

t.test('a request waits for changes no longer than for a lookup', async (t) => {
  const { emulator, preloaded } = await preloadedBy(t, { poll: HOUR, maxAge: 0 }, { lookupTimeout: '50ms' })
  await until(() => preloaded.state().status === 'ready')
  emulator.faults.dataverse.push({ kind: 'hang', path: 'deltatoken' })
  t.equal(await preloaded.find({ email: ADELE }), undefined)
})

t.test('once closed, nothing is read, also when that happens while the users arrive', async (t) => {
  const { preloaded, systemUsers } = await preloadedBy(t, { poll: 1, maxAge: 0 }, { start: false })
  preloaded.onChange(() => preloaded.close())
  preloaded.start()
  await until(() => preloaded.state().status === 'ready')
  const before = systemUsers()
  t.ok(before > 0)

  await new Promise((resolve) => setTimeout(resolve, 100))

  t.equal(systemUsers(), before)
})

type Started = Awaited<ReturnType<typeof startEmulator>>

interface Setup {
  readonly pageSize?: number
  readonly start?: boolean
  readonly lookupTimeout?: string
}

async function preloadedBy(t: Test, times: Partial<PreloadLimits> = {}, setup: Setup = {}) {
  const { pageSize = 5000, start = true, lookupTimeout = '10s' } = setup
  const emulator = await startEmulator()
  emulator.switches.pageSize = pageSize
  const { environment, tenantId, clientId, clientSecret, dispatcher } = emulator
  const settings = {
    targets: [
      {
        url: environment,
        credential: { kind: 'client-secret', tenantId, clientId, secret: { env: 'SECRET' } },
        impersonation: { lookupTimeout },
      },
    ],
  }
  const file = `${t.testdir({ 'gateway.json': JSON.stringify(settings) })}/gateway.json`
  const [target] = loadSettings({ SECRET: clientSecret }, file).targets
  const log = memoryLog()
  const connection = connect(target!, {
    agent: { reads: dispatcher, writes: dispatcher },
    credential: { authorization: () => `Bearer ${emulator.token()}`, discard: () => undefined },
    onEvent: () => undefined,
    log,
    bodyLimit: 1024,
    state: inProcess(10).of(target!),
  })
  const preloaded = preloadUsers(connection.send, target!, log, {
    poll: 10,
    maxAge: HOUR,
    retry: 10,
    users: 1000,
    ...times,
  })
  const directory = userDirectory(connection.send, target!, undefined, preloaded)
  t.teardown(async () => {
    preloaded.close()
    await emulator.close()
  })
  if (start) preloaded.start()
  return {
    emulator,
    preloaded,
    directory,
    log,
    asker: new RequestRecord('id', 0),
    systemUsers: () => emulator.received.filter(({ url }) => url.includes('systemusers')).length,
  }
}

/** Answers the next `times` reads of users with `body`. */
function answerWith(emulator: Started, body: object | string, times = 1): void {
  for (let nth = 0; nth < times; nth += 1) {
    emulator.faults.dataverse.push({
      kind: 'answer',
      path: 'systemusers',
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  }
}
