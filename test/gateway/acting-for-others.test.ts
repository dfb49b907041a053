import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'
import type { Test } from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { gatewayWithFile } from '../support/gateway-for.ts'
import { get, rawRequest, requestOf } from '../support/raw-http.ts'
import type { RawAnswer } from '../support/raw-http.ts'
import { objectId, userId } from '../support/started-emulator.ts'
import { until } from '../support/until.ts'

// People with a role may act as others: a header beside their token names the user.

const ADELE = 'adele.vance@contoso.com'
const ALEX = 'alex.wilber@contoso.com'
const ROLE = { roles: ['ActForOthers'] }

t.test('only people with the role may name other users, and only listed ones', async (t) => {
  const { emulator, as, audit } = await gatewayWith(t)
  const alexId = objectId(emulator, ALEX)
  for (const line of [`x-user-email: ${ALEX}`, `x-user-id: ${alexId}`]) {
    t.match(await as(ADELE, ROLE, line), { status: 200, body: userId(emulator, ALEX) }, line)
    const { headers } = emulator.received.at(-1)!
    t.equal(headers['callerobjectid'], alexId, 'as Alex')
    t.match(claimsIn(headers['authorization']), { idtyp: 'app' }, 'with the rights of the application user')
    t.match(await as(ADELE, {}, line), { status: 400, code: 'GATEWAY_BAD_REQUEST' }, 'without the role')
  }
  t.match(await as(ADELE, ROLE, 'x-user-email: kai.carter@fabrikam.example'), {
    status: 403,
    code: 'GATEWAY_USER_NOT_ALLOWED',
  })
  t.match(await as(ADELE, ROLE, 'x-user-email: nobody@contoso.com'), { status: 403, code: 'GATEWAY_USER_UNKNOWN' })
  t.match(await as(ADELE, ROLE, 'x-user-email: x'), { status: 400, code: 'GATEWAY_BAD_USER_EMAIL' })
  t.match(await as(ADELE, ROLE, `CallerObjectId: ${alexId}`), { status: 400, code: 'GATEWAY_BAD_REQUEST' })
  t.match(await as(ADELE, ROLE, `CallerObjectId: ${alexId}`, `x-user-id: ${alexId}`), { status: 400 })
  t.match(await as(ADELE, ROLE, `x-user-email: ${ALEX}`, `x-user-id: ${alexId}`), { status: 400 })

  t.match(await as(ADELE, ROLE), { status: 200, body: userId(emulator, ADELE) }, 'without the header as herself')
  t.notOk('callerobjectid' in emulator.received.at(-1)!.headers)
  t.match(claimsIn(emulator.received.at(-1)!.headers['authorization']), { oid: objectId(emulator, ADELE) })
  t.same(audit(), [])
})

t.test('the audit log names both people', async (t) => {
  const { emulator, ask, audit } = await gatewayWith(t)
  const token = emulator.userToken(ADELE, { claims: ROLE })
  const body = '{"name":"A"}'
  for (const line of [`x-user-email: ${ALEX}`, 'x-other: 1']) {
    const lines = ['Content-Type: application/json', `Content-Length: ${body.length}`, line]
    const answer = await ask(requestOf('POST /accounts', `Authorization: Bearer ${token}`, ...lines) + body)
    t.equal(answer.status, 204, answer.body)
  }
  await until(() => audit().length === 2)
  const [forAlex, herself] = audit()
  t.match(forAlex, { userObjectId: objectId(emulator, ALEX), signedInObjectId: objectId(emulator, ADELE) })
  t.match(herself, { userObjectId: objectId(emulator, ADELE) })
  t.notOk('signedInObjectId' in herself!)
})

t.test('settings that would let everybody or nobody act for others are errors', async (t) => {
  for (const [token, target, fault] of [
    [{ scopes: ['a'] }, {}, /every person with a token of support could act as others/],
    [{ roles: ['a'] }, { impersonation: { mode: 'off' } }, /support is to act as others/],
    [{ roles: ['a'] }, { kind: 'on-behalf-of' }, /support is to act as others/],
  ] as const) {
    const { kind = 'client-secret', ...rest } = target as { kind?: string }
    const settings = {
      callers: [
        {
          name: 'support',
          token: { issuer: 'https://idp.example', audience: ['a'], ...token },
          userFrom: 'on-behalf-of-or-header',
        },
      ],
      targets: [
        {
          url: 'https://contoso.crm4.dynamics.com',
          credential: {
            kind,
            tenantId: '11111111-2222-3333-4444-555555555555',
            clientId: '66666666-7777-8888-9999-000000000000',
            secret: { env: 'SECRET' },
          },
          ...rest,
        },
      ],
    }
    const file = join(t.testdir({ 'gateway.json': JSON.stringify(settings) }), 'gateway.json')
    t.throws(() => loadSettings({ SECRET: 's3cret-value' }, file), { message: fault })
  }
})

async function gatewayWith(t: Test) {
  const auditLog = join(t.testdir({}), 'audit.log')
  const fixture = await gatewayWithFile(t, (credential) => {
    const { tenantId, clientId } = credential as { tenantId: string; clientId: string }
    const token = { issuer: `https://login.microsoftonline.com/${tenantId}/v2.0`, audience: [clientId] }
    return {
      auditLog,
      callers: [
        {
          name: 'support',
          token: { ...token, ...ROLE },
          userFrom: 'on-behalf-of-or-header',
          users: ['@contoso.com'],
          callerIds: 'allow',
        },
        { name: 'portal', token: { ...token, scopes: ['access_as_user'] }, userFrom: 'on-behalf-of' },
      ],
      targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
    }
  })
  const port = Number(new URL(fixture.url).port)
  const ask = (request: string): Promise<RawAnswer> => rawRequest({ port }, request)
  return {
    ...fixture,
    ask,
    as: (person: string, claims: object, ...lines: string[]) =>
      ask(
        get(
          '/WhoAmI',
          `Authorization: Bearer ${fixture.emulator.userToken(person, { claims: { ...claims } })}`,
          ...lines,
        ),
      ),
    /** The lines of the audit log so far. */
    audit: (): Record<string, unknown>[] =>
      readFileSync(auditLog, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}

function claimsIn(authorization: string | undefined): unknown {
  return JSON.parse(Buffer.from((authorization ?? '').split('.')[1] ?? '', 'base64url').toString())
}
