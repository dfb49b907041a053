import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'
import type { Test } from 'tap'

import { check } from '../../src/commands/check/check.ts'
import { commandFor, commandForPeople } from '../support/command-io.ts'
import { objectId } from '../support/started-emulator.ts'

// `check` for callers that send a person's token.

const ADELE = 'adele.vance@contoso.com'
const APP = '9b2d6c1f-0a4e-4f3b-8d57-1c6e9a20b7f4'

t.test('prints both consent URLs, and tests only what is possible without a person', async (t) => {
  for (const kind of ['on-behalf-of', 'client-secret']) {
    const { io, written, emulator } = await commandForPeople(t, kind)
    t.equal(await check({}, io), 0)
    t.match(written.stdout, /– consent .*two permissions need it; --token-file FILE/)
    const [gateway, app] = urlsIn(written.stdout)
    t.equal(gateway!.pathname, `/${emulator.tenantId}/v2.0/adminconsent`)
    t.match(Object.fromEntries(gateway!.searchParams), {
      client_id: emulator.clientId,
      scope: `${emulator.environment}/user_impersonation`,
    })
    t.match(Object.fromEntries(app!.searchParams), {
      client_id: APP,
      scope: `api://${emulator.clientId}/access_as_user`,
    })
    t.match(written.stdout, /– person .*--token-file FILE/)
  }
})

t.test("with a person's token, tests that Dynamics runs requests as that person", async (t) => {
  for (const [kind, prefix] of [
    ['on-behalf-of', ''],
    ['client-secret', 'Bearer '],
    ['client-secret', 'Authorization: Bearer '],
  ] as const) {
    const { io, written, emulator } = await commandForPeople(t, kind)
    const token = emulator.userToken(ADELE)
    const file = fileWith(t, `${prefix}${token}\n`)
    t.equal(await check({ 'token-file': file }, io), 0, written.stdout)
    t.match(
      written.stdout,
      new RegExp(`✓ person .*caller portal, object id ${objectId(emulator, ADELE)}, valid for 6\\d min`),
    )
    t.match(written.stdout, /✓ exchange/)
    t.match(written.stdout, /✓ as the person .*“Adele Vance”/)
    for (const part of token.split('.')) t.notMatch(written.stdout, part, 'the token is not printed')
  }
})

t.test('a wrong token is explained with one fix before it is sent to Entra', async (t) => {
  const { io, written, emulator } = await commandForPeople(t)
  const good = emulator.userToken(ADELE)
  const soon = Math.floor(Date.now() / 1000) + 3600
  const [head, claims] = good.split('.')
  for (const [token, what, todo] of [
    ['', /does not contain a JSON Web Token/, /three parts/],
    ['eyJhbGciOiJub25lIn0.e30.', /from an issuer that no caller lists/, /requestedAccessTokenVersion/],
    [good.slice(0, 200), /does not contain a JSON Web Token/, /three parts/],
    [withClaims({ iss: 'https://sts.windows.net/x/' }), /issuer/, /requestedAccessTokenVersion/],
    [`${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`, /signed with an algorithm/, /algorithms/],
    [emulator.userToken(ADELE, { audience: '00000003-0000-0000-c000-000000000000' }), /another app/, /scope api:/],
    [`${head}.${claims}.${Buffer.from('forged').toString('base64url')}`, /signature/, /scope api:/],
    [`${Buffer.from('{"alg":"RS256","kid":"x"}').toString('base64url')}.${claims}.AA`, /signature/, /scope api:/],
    [emulator.userToken(ADELE, { expiresIn: -300 }), /has expired/, /new one/],
    [withClaims({ nbf: soon, exp: soon + 60 }), /not valid yet/, /clock/],
    [withClaims({ exp: undefined }), /does not contain a JSON Web Token/, /three parts/],
    [withClaims({ scp: 'other' }), /not belong to a listed caller/, /scope api:/],
    [withClaims({ azp: 'another' }), /not belong to a listed caller/, /clientIds/],
    [withClaims({ scp: undefined, idtyp: 'app' }), /belongs to an application/, /Sign in as a person/],
    [withClaims({ idtyp: 'app' }), /does not name a person/, /signed-in person/],
    [withClaims({ oid: undefined }), /does not name a person/, /signed-in person/],
  ] as const) {
    written.stdout = ''
    t.equal(await check({ 'token-file': fileWith(t, token) }, io), 2, String(what))
    t.match(written.stdout, /✗ person/)
    t.match(written.stdout, what)
    t.match(/What to do: .*/.exec(written.stdout)?.[0], todo)
    for (const part of token.split('.').filter((one) => one.length > 10)) t.notMatch(written.stdout, part)
  }

  function withClaims(changed: Readonly<Record<string, unknown>>): string {
    return emulator.userToken(ADELE, { claims: changed })
  }
})

t.test('each refusal by Entra has its own fix', async (t) => {
  const { io, written, emulator } = await commandForPeople(t)
  const file = fileWith(t, emulator.userToken(ADELE))
  for (const [number, todo] of [
    [65001, /administrator of the tenant to open https:\S+user_impersonation/],
    [500131, /scope api:\S+ .*clientId/],
    [500133, /new token/],
    [50079, /Sign in to the app again/],
    [53003, /Sign-in logs/],
    [50105, /Users and groups/],
    [7000114, /Sign in to the app as a person/],
    [7000222, /./],
    [90033, /./],
  ] as const) {
    written.stdout = ''
    emulator.onBehalfOf.refuse = number
    t.equal(await check({ 'token-file': file }, io), 2)
    t.match(written.stdout, /✗ exchange/)
    t.match(written.stdout, `AADSTS${number}`)
    t.match(/What to do: .*/.exec(written.stdout)?.[0], todo)
  }
  written.stdout = ''
  emulator.onBehalfOf.refuse = undefined
  emulator.onBehalfOf.demand = 'c1'
  t.equal(await check({ 'token-file': file }, io), 2)
  t.match(written.stdout, /AADSTS50076[\s\S]*MFA[\s\S]*says: “\{"access_token":\{"acrs"[\s\S]*pass these claims/)
})

t.test('distinguishes an unknown person, an unreadable row and another user', async (t) => {
  const { io, written, emulator } = await commandForPeople(t)
  const guest = fileWith(t, emulator.userToken('somebody@fabrikam.example'))
  t.equal(await check({ 'token-file': guest }, io), 2)
  t.match(written.stdout, /✗ as the person .*0x80072560.*not a user of this environment/)

  const file = fileWith(t, emulator.userToken(ADELE))
  emulator.switches.mayReadUsers = false
  written.stdout = ''
  t.equal(await check({ 'token-file': file }, io), 0)
  t.match(written.stdout, /! as the person .*may not read .*\(403\)/)

  emulator.switches.mayReadUsers = true
  const row = emulator.rows('systemusers').find((one) => one['internalemailaddress'] === ADELE)!
  emulator.faults.dataverse.always({
    kind: 'answer',
    status: 200,
    body: JSON.stringify({ UserId: row['systemuserid'], fullname: 'X', azureactivedirectoryobjectid: 'other' }),
    headers: { 'content-type': 'application/json' },
  } as never)
  written.stdout = ''
  t.equal(await check({ 'token-file': file }, io), 2)
  t.match(written.stdout, /✗ as the person .*did not run as the person/)
})

t.test('names what prevents the test', async (t) => {
  const { io, written, emulator } = await commandForPeople(t)
  t.equal(await check({ 'token-file': '/nowhere/token' }, io), 2)
  t.match(written.stdout, /✗ person .*cannot be read \(ENOENT\)/)

  const unknown = await commandForPeople(t, 'on-behalf-of', {
    token: {
      issuer: `https://login.microsoftonline.com/${emulator.tenantId}/v2.0`,
      keys: 'https://login.microsoftonline.com/nothing',
      audience: [`api://${emulator.clientId}`],
      scopes: ['access_as_user'],
    },
  })
  const token = unknown.emulator.userToken(ADELE, { audience: `api://${emulator.clientId}` })
  t.equal(await check({ 'token-file': fileWith(t, token) }, unknown.io), 2)
  t.match(unknown.written.stdout, /✗ person .*keys .*cannot be read[\s\S]*status 404/)
  t.match(unknown.written.stdout, 'client_id=CLIENT-ID-OF-THE-APP')

  const none = await commandFor(t)
  t.equal(await check({ 'token-file': fileWith(t, token) }, none.io), 2)
  t.match(none.written.stdout, /– consent .*no caller/)
  t.match(none.written.stdout, /✗ person .*No caller sends tokens of people/)
})

t.test('skips the comparison for products without WhoAmI', async (t) => {
  const { io, written, emulator } = await commandForPeople(t)
  const [target] = io.settings.targets
  const url = { ...target!.url, product: 'finance-and-operations' as const }
  const settings = { ...io.settings, targets: [{ ...target!, url }] }
  const file = fileWith(t, emulator.userToken(ADELE))
  t.equal(await check({ 'token-file': file }, { ...io, settings }), 0)
  t.match(written.stdout, /– as the person .*no WhoAmI/)
})

t.test('--json includes the consent URLs', async (t) => {
  const { io, written } = await commandForPeople(t)
  t.equal(await check({ json: true }, io), 0)
  const { targets } = JSON.parse(written.stdout)
  const consent = targets[0].steps.find(({ step }: { step: string }) => step === 'consent')
  t.equal(consent.details.length, 4)
})

function fileWith(t: Test, token: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'check-person-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'token')
  writeFileSync(file, token)
  return file
}

function urlsIn(text: string): readonly URL[] {
  return [...text.matchAll(/https:\S+adminconsent\S+/g)].map(([url]) => new URL(url))
}
