import t from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { get, rawRequest, requestOf } from '../support/raw-http.ts'
import type { RawAnswer } from '../support/raw-http.ts'
import { objectId, userId } from '../support/started-emulator.ts'

// Users named by their Entra object id, or by an address in another column than the default.

const ADELE = 'adele.vance@contoso.com'
const ALEX = 'alex.wilber@contoso.com'

t.test('runs as the user with the object id in any letter case, looked up once', async (t) => {
  const { emulator, ask } = askOf(await gatewayFor(t))
  const id = objectId(emulator, ADELE)
  for (const line of [`x-user-id: ${id}`, `X-USER-ID: ${id.toUpperCase()}`, `X-User-Id:  ${id} `]) {
    t.match(await ask(get('/WhoAmI', line)), { status: 200, body: userId(emulator, ADELE) }, line)
    t.equal(emulator.received.at(-1)!.headers['callerobjectid'], id)
    t.notOk('x-user-id' in emulator.received.at(-1)!.headers)
  }
  t.equal(lookups({ emulator }), 1)
})

t.test('refuses ids of unknown users, disabled users and applications, and remembers the refusal', async (t) => {
  const { emulator, ask } = askOf(await gatewayFor(t))
  const robot = emulator.rows('systemusers').find((row) => row['fullname'] === '# Invoice Importer')!
  for (const [id, code] of [
    ['99999999-9999-4999-8999-999999999999', 'GATEWAY_USER_UNKNOWN'],
    [objectId(emulator, 'nestor.wilke@contoso.com'), 'GATEWAY_USER_DISABLED'],
    [String(robot['azureactivedirectoryobjectid']), 'GATEWAY_USER_NOT_PERSON'],
  ] as const) {
    const before = lookups({ emulator })
    for (const nth of [1, 2]) {
      t.match(await ask(get('/WhoAmI', `x-user-id: ${id}`)), { status: 403, code }, `${code} ${nth}`)
    }
    t.equal(lookups({ emulator }), before + 1)
  }
})

t.test('refuses headers that do not clearly name one user, and sends nothing', async (t) => {
  for (const mode of ['optional', 'required']) {
    const { emulator, ask } = askOf(await gatewayFor(t, { IMPERSONATION: mode }))
    const id = objectId(emulator, ADELE)
    for (const [line, code] of [
      ['x-user-id:', 'GATEWAY_BAD_USER_ID'],
      ['x-user-id: adele.vance@contoso.com', 'GATEWAY_BAD_USER_ID'],
      ['x-user-id: 00000000-0000-0000-0000-000000000000', 'GATEWAY_BAD_USER_ID'],
      [`x-user-id: {${id}}`, 'GATEWAY_BAD_USER_ID'],
      [`x-user-id: ${id},${id}`, 'GATEWAY_BAD_USER_ID'],
      [`x-user-id: ${id}\r\nx-user-id: ${id}`, 'GATEWAY_BAD_USER_ID'],
      [`x-user-id: ${id}\r\nX-User-Id: ${objectId(emulator, ALEX)}`, 'GATEWAY_BAD_USER_ID'],
      [`x_user_id: ${id}`, 'GATEWAY_BAD_USER_ID'],
      [`x-user_id: ${id}`, 'GATEWAY_BAD_USER_ID'],
      [`xuserid: ${id}`, 'GATEWAY_BAD_USER_ID'],
      [`x.user.id: ${id}`, 'GATEWAY_BAD_USER_ID'],
      [`x-user-id: ${id}\r\nx-user-email: ${ALEX}`, 'GATEWAY_BAD_REQUEST'],
      [`x-user-id: ${id}\r\nx-user-email: ${ADELE}`, 'GATEWAY_BAD_REQUEST'],
      [`x-user-id: ${id}\r\nCallerObjectId: ${id}`, 'GATEWAY_CALLER_ID_NOT_ALLOWED'],
    ] as const) {
      t.match(await ask(get('/WhoAmI', line)), { status: 400, code }, line)
    }
    t.match(await ask(get('/WhoAmI', 'Connection: x-user-id', `x-user-id: ${id}`)), { body: userId(emulator, ADELE) })
    t.equal(emulator.received.filter(({ url }) => url.includes('WhoAmI')).length, 1)
  }
})

t.test('a part of a batch may not name its user by id', async (t) => {
  const { emulator, ask } = askOf(await gatewayFor(t, { USER_ID_HEADER: 'x-oid' }))
  for (const name of ['x-oid', 'X-OID', 'x_oid', 'x.oid']) {
    const headers = { [name]: objectId(emulator, ALEX) }
    const body = JSON.stringify({ requests: [{ id: '1', method: 'GET', url: 'WhoAmI', headers }] })
    const lines = ['Content-Type: application/json', `Content-Length: ${body.length}`]
    t.match(await ask(requestOf('POST /$batch', ...lines) + body), { status: 400, code: 'GATEWAY_BAD_BATCH' }, name)
  }
  t.equal(emulator.received.length, 0)
})

t.test(
  'the configured header is read, can be required, is ignored without impersonation, and is never forwarded',
  async (t) => {
    const named = askOf(await gatewayFor(t, { USER_ID_HEADER: 'x-oid', IMPERSONATION: 'required' }))
    const id = objectId(named.emulator, ADELE)
    t.match(await named.ask(get('/WhoAmI', `x-oid: ${id}`)), { body: userId(named.emulator, ADELE) })
    t.notOk('x-oid' in named.emulator.received.at(-1)!.headers)
    t.match(await named.ask(get('/WhoAmI', `x-user-id: ${id}`)), { status: 403, code: 'GATEWAY_USER_REQUIRED' })
    t.match(await named.ask(get('/WhoAmI', `x_oid: ${id}`)), { status: 400, code: 'GATEWAY_BAD_USER_ID' })

    const off = askOf(await gatewayFor(t, { IMPERSONATION: 'off' }))
    t.equal((await off.ask(get('/WhoAmI', `x-user-id: ${id}`))).status, 200)
    t.notOk('callerobjectid' in off.emulator.received.at(-1)!.headers)
  },
)

t.test('a caller may name the same users by address and by id', async (t) => {
  const { emulator, ask } = askOf(
    await gatewayWithFile(t, (credential) => ({
      callers: [
        { name: 'by-address', keys: [keyHash('A')], users: [ADELE, 'lee.gu@contoso.com'] },
        { name: 'by-id', keys: [keyHash('B')], users: [ADELE_ID] },
        { name: 'nobody', keys: [keyHash('C')], users: [] },
      ],
      targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
    })),
  )
  t.equal(objectId(emulator, ADELE), ADELE_ID)
  const unlisted = { status: 403, code: 'GATEWAY_USER_NOT_ALLOWED' }
  for (const [key, line, expected] of [
    ['A', `x-user-id: ${ADELE_ID}`, { status: 200, body: userId(emulator, ADELE) }],
    ['A', `x-user-id: ${objectId(emulator, 'Lee.Gu@Contoso.com')}`, { status: 200 }],
    ['A', `x-user-id: ${objectId(emulator, ALEX)}`, unlisted],
    ['A', 'x-user-id: 99999999-9999-4999-8999-999999999999', unlisted],
    ['A', `x-user-id: ${objectId(emulator, 'nestor.wilke@contoso.com')}`, unlisted],
    ['B', `x-user-id: ${ADELE_ID.toUpperCase()}`, { status: 200, body: userId(emulator, ADELE) }],
    ['B', `x-user-email: ${ADELE}`, { status: 200, body: userId(emulator, ADELE) }],
    ['B', `x-user-email: ${ALEX}`, unlisted],
    ['B', 'x-user-email: pradeep.gupta@contoso.com', unlisted],
    ['B', 'x-user-email: nobody@contoso.com', unlisted],
    ['B', `x-user-id: ${objectId(emulator, ALEX)}`, unlisted],
    ['C', `x-user-id: ${ADELE_ID}`, unlisted],
  ] as const) {
    for (const nth of [1, 2]) {
      t.match(await ask(get('/WhoAmI', `X-Api-Key: ${key}`, line)), expected, `${key} ${line} ${nth}`)
    }
  }
  emulator.faults.dataverse.always({ kind: 'unavailable' })
  t.match(await ask(get('/WhoAmI', 'X-Api-Key: A', `x-user-id: ${objectId(emulator, "brian.o'neil@contoso.com")}`)), {
    status: 502,
    code: 'GATEWAY_USER_LOOKUP_FAILED',
  })
})

t.test('an address is searched in the configured columns, in order', async (t) => {
  const { emulator, ask } = askOf(await gatewayFor(t, { USER_EMAIL_COLUMNS: 'internalemailaddress, domainname' }))
  const raul = emulator.rows('systemusers').find((row) => row['domainname'] === 'raul.razo@contoso.com')!
  t.match(await ask(get('/WhoAmI', 'x-user-email: Raul.Razo@contoso.com')), { body: String(raul['systemuserid']) })
  t.equal(lookups({ emulator }), 1, 'one request for all columns')
  t.match(await ask(get('/WhoAmI', `x-user-email: ${ADELE}`)), { body: userId(emulator, ADELE) })
  // The user name of another row is an address that two rows have in the first column: nobody matches.
  t.match(await ask(get('/WhoAmI', 'x-user-email: megan.bowen@contoso.com')), {
    status: 403,
    code: 'GATEWAY_USER_AMBIGUOUS',
  })
  t.match(await ask(get('/WhoAmI', 'x-user-email: megan.bowen2@contoso.com')), { status: 200 })
})

t.test('a missing column is a failed lookup', async (t) => {
  const { ask, log } = askOf(await gatewayFor(t, { USER_EMAIL_COLUMNS: 'contoso_nothing' }))
  t.match(await ask(get('/WhoAmI', `x-user-email: ${ADELE}`)), { status: 502, code: 'GATEWAY_USER_LOOKUP_FAILED' })
  t.match(log(), /400/)
})

const ADELE_ID = 'fda9882e-195e-4615-a5db-0db0b5bb8858'

function askOf(fixture: Fixture) {
  const { port } = new URL(fixture.url)
  return { ...fixture, ask: (request: string): Promise<RawAnswer> => rawRequest({ port: Number(port) }, request) }
}

function lookups({ emulator }: Pick<Fixture, 'emulator'>): number {
  return emulator.received.filter(({ url }) => url.includes('systemusers')).length
}
