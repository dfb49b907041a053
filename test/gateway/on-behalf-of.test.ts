import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'
import type { Test } from 'tap'

import { clientSecret } from '../../emulator/emulator.ts'
import type { Emulator } from '../../emulator/emulator.ts'
import { keyHash } from '../../src/callers/api-key.ts'
import { gatewayWithFile } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { get, rawRequest, requestOf } from '../support/raw-http.ts'
import type { RawAnswer } from '../support/raw-http.ts'
import { objectId, userId } from '../support/started-emulator.ts'
import { until } from '../support/until.ts'

// People who are signed in to an app reach Dynamics as themselves, and jobs reach it as the application user.

const ADELE = 'adele.vance@contoso.com'
const ALEX = 'alex.wilber@contoso.com'
const CONTEXT = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'

t.test("Dynamics gets the person's token, and no caller id", async (t) => {
  const { as, emulator } = await gatewayWith(t)
  for (const person of [ADELE, ALEX, ADELE]) {
    const answer = await as(person)
    t.equal(answer.status, 200, answer.body)
    t.match(answer.body, `"UserId":"${userId(emulator, person)}"`)
    t.same(callerIdsOf(emulator), [])
    t.equal(claimsSent(emulator)['oid'], objectId(emulator, person))
  }
  t.match(exchanges(emulator)[0], {
    requested_token_use: 'on_behalf_of',
    scope: /^https:\/\/contoso\.crm4\.dynamics\.com\/user_impersonation\b/,
    claims: /"xms_cc":\{"values":\["cp1"\]\}/,
  })
})

t.test('jobs with an API key run as the application user', async (t) => {
  const { ask, emulator } = await gatewayWith(t)
  t.match(await ask(get('/WhoAmI', `X-Api-Key: ${KEY}`)), { status: 200 })
  t.equal(claimsSent(emulator)['idtyp'], 'app')
  t.match(await ask(get('/WhoAmI', `X-Api-Key: ${KEY}`, `x-user-email: ${ALEX}`)), {
    status: 200,
    body: `"UserId":"${userId(emulator, ALEX)}"`,
  })
  t.same(exchanges(emulator), [])
})

t.test('a session is exchanged once for any number of concurrent requests', async (t) => {
  const { ask, emulator } = await gatewayWith(t)
  const [first, second] = [emulator.userToken(ADELE), emulator.userToken(ADELE)]
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, index) => ask(get('/WhoAmI', bearer(index % 2 === 0 ? first : second)))),
  )
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.equal(exchanges(emulator).length, 2, 'two sign-ins of a person are two sessions')
})

t.test('concurrent people each get their own response', async (t) => {
  const { as, emulator } = await gatewayWith(t)
  const people = [ADELE, ALEX, 'diego.siciliani@contoso.com', "brian.o'neil@contoso.com"]
  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const person = people[index % people.length]!
      t.match((await as(person)).body, `"UserId":"${userId(emulator, person)}"`)
    }),
  )
})

t.test('a token that Dynamics refuses is exchanged again', async (t) => {
  const { ask, emulator } = await gatewayWith(t)
  const token = emulator.userToken(ADELE)
  t.equal((await ask(get('/WhoAmI', bearer(token)))).status, 200)
  emulator.revokeTokens()
  t.match(await ask(get('/WhoAmI', bearer(token))), { status: 200, body: userId(emulator, ADELE) })
  t.equal(exchanges(emulator).length, 2)
})

t.test('each refusal by Entra has its own status, code and fix', async (t) => {
  const { emulator, ask, as } = await gatewayWith(t)
  for (const [number, status, code, fix] of [
    [65001, 403, 'GATEWAY_USER_CONSENT_MISSING', /dynamics-gateway consent/],
    [500131, 401, 'GATEWAY_USER_TOKEN_FOR_ANOTHER_APP', /api:\/\//],
    [50013, 401, 'GATEWAY_USER_TOKEN_FOR_ANOTHER_APP', /scope/],
    [500133, 401, 'GATEWAY_USER_TOKEN_EXPIRED', /get a new one/],
    [53003, 403, 'GATEWAY_USER_BLOCKED', /administrator/],
    [50105, 403, 'GATEWAY_USER_WITHOUT_ACCESS', /assigned/],
    [50057, 403, 'GATEWAY_USER_WITHOUT_ACCESS', /disabled/],
    [50079, 401, 'GATEWAY_USER_SIGN_IN_REQUIRED', /sign in again/],
    [50173, 401, 'GATEWAY_USER_SIGN_IN_REQUIRED', /sign in again/],
    [7000114, 403, 'GATEWAY_USER_NOT_ALLOWED', /application/],
    [7000222, 502, 'GATEWAY_CREDENTIAL_REJECTED', /check/],
    [90033, 503, 'GATEWAY_TOKEN_UNAVAILABLE', /Retry-After/],
  ] as const) {
    emulator.onBehalfOf.refuse = number
    const before = emulator.received.length
    const answer = await as(ADELE)
    t.match(answer, { status, code, body: fix }, `AADSTS${number}`)
    t.equal(emulator.received.length, before, 'nothing was sent')
  }
  emulator.onBehalfOf.refuse = undefined
  emulator.onBehalfOf.consent = 'missing'
  const token = emulator.userToken(ADELE)
  t.match(await ask(get('/WhoAmI', bearer(token))), { status: 403, code: 'GATEWAY_USER_CONSENT_MISSING' })
  const asked = exchanges(emulator).length
  t.match(await ask(get('/WhoAmI', bearer(token))), { status: 403, code: 'GATEWAY_USER_CONSENT_MISSING' })
  t.equal(exchanges(emulator).length, asked, 'Entra is not asked again at once')
})

t.test('tokens of applications, for other audiences and without a user are never sent to Entra', async (t) => {
  const { emulator, ask } = await gatewayWith(t)
  for (const [claims, status] of [
    [{ idtyp: 'app' }, 403],
    [{ scp: undefined, roles: ['access_as_user'] }, 401],
    [{ oid: undefined }, 403],
    [{ oid: 'adele' }, 403],
    [{ tid: undefined }, 403],
    [{ tid: '*' }, 403],
    [{ aud: '00000003-0000-0000-c000-000000000000' }, 401],
    [{ iss: 'https://login.microsoftonline.com/common/v2.0' }, 401],
    [{ exp: Math.floor(Date.now() / 1000) - 120 }, 401],
    [{ nbf: Math.floor(Date.now() / 1000) + 3600 }, 401],
  ] as const) {
    const answer = await ask(get('/WhoAmI', bearer(emulator.userToken(ADELE, { claims }))))
    t.equal(answer.status, status, JSON.stringify(claims))
  }
  const [head, , signature] = emulator.userToken(ADELE).split('.')
  const [, claims] = emulator.userToken(ALEX).split('.')
  t.equal((await ask(get('/WhoAmI', bearer(`${head}.${claims}.${signature}`)))).status, 401, 'a forged token')
  t.same(exchanges(emulator), [])
})

t.test('a claims challenge of Entra is passed on, and never answered from the cache', async (t) => {
  const { emulator, ask } = await gatewayWith(t)
  emulator.onBehalfOf.demand = 'c1'
  const weak = emulator.userToken(ADELE)
  for (const nth of [1, 2]) {
    const answer = await ask(get('/WhoAmI', bearer(weak)))
    t.match(answer, { status: 401, code: 'GATEWAY_USER_CLAIMS_REQUIRED' })
    t.equal(challengeOf(answer), CONTEXT)
    t.equal(exchanges(emulator).length, nth, 'Entra is contacted each time')
  }
  const strong = emulator.userToken(ADELE, { claims: { acrs: ['c1'] } })
  t.equal((await ask(get('/WhoAmI', bearer(strong)))).status, 200)
  t.equal((await ask(get('/WhoAmI', bearer(weak)))).status, 401, 'the other session has proved no more than before')
})

t.test('a claims challenge of Dynamics is passed on, for reads and writes', async (t) => {
  const { emulator, ask } = await gatewayWith(t)
  const claims = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
  const token = emulator.userToken(ADELE)
  t.equal((await ask(get('/WhoAmI', bearer(token)))).status, 200)
  const asked = exchanges(emulator).length
  emulator.revokeTokens({ claims })
  const answer = await ask(get('/WhoAmI', bearer(token)))
  t.match(answer, { status: 401, code: 'GATEWAY_USER_CLAIMS_REQUIRED' })
  t.equal(challengeOf(answer), claims)
  t.equal(exchanges(emulator).length, asked, 'the challenge goes to the person, not to Entra')
  t.equal((await ask(get('/WhoAmI', bearer(token)))).status, 200, 'the next request has another token')

  emulator.revokeTokens({ claims })
  const body = '{"name":"A"}'
  const lines = [bearer(token), 'Content-Type: application/json', `Content-Length: ${body.length}`]
  t.match(await ask(requestOf('POST /accounts', ...lines) + body), {
    status: 401,
    code: 'GATEWAY_USER_CLAIMS_REQUIRED',
  })
  t.equal(emulator.executions, 0)
})

t.test('a claims challenge of Dynamics evicts the cached rows of the person', async (t) => {
  const { emulator, ask } = await gatewayWith(t, { reads: { keep: [{ entitySets: ['accounts'], for: '1h' }] } })
  const token = emulator.userToken(ADELE)
  const kept = async (): Promise<string> => (await ask(get('/accounts?$top=1', bearer(token)))).head
  await kept()
  t.match(await kept(), /cache-status: .*; hit/i)
  emulator.faults.dataverse.push({ kind: 'challenge', path: 'contacts', claims: CONTEXT })
  t.match(await ask(get('/contacts?$top=1', bearer(token))), { status: 401, code: 'GATEWAY_USER_CLAIMS_REQUIRED' })
  t.match(await kept(), /cache-status: .*fwd=uri-miss/i)
})

t.test('a person whom Entra refuses gets no rows from memory, and those in memory are removed', async (t) => {
  const { emulator, ask } = await gatewayWith(t, { reads: { keep: [{ entitySets: ['accounts'], for: '1h' }] } })
  const [first, second] = [emulator.userToken(ADELE), emulator.userToken(ADELE)]
  const readAs = (token: string): Promise<RawAnswer> => ask(get('/accounts?$top=1', bearer(token)))
  await readAs(first)
  t.match((await readAs(first)).head, /cache-status: .*; hit/i)
  emulator.onBehalfOf.refuse = 50057
  t.match(await readAs(second), { status: 403, code: 'GATEWAY_USER_WITHOUT_ACCESS' })
  emulator.onBehalfOf.refuse = undefined
  t.match((await readAs(first)).head, /cache-status: .*fwd=uri-miss/i)
})

t.test('a rotated secret is also used for people, whose own refusals do not count against it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rotated-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'secret')
  const { emulator, as, log } = await gatewayWith(t, { kind: 'on-behalf-of', mode: 'off', secretFile: file })
  t.equal((await as(ADELE)).status, 200)

  emulator.secrets.add('the-new~secret')
  emulator.onBehalfOf.refuse = 65001
  writeFileSync(file, 'the-new~secret')
  // The change is noticed by the next exchange, or by the file watcher.
  t.match(await as(ALEX), { status: 403, code: 'GATEWAY_USER_CONSENT_MISSING' })
  t.notMatch(log(), /rotation failed/, 'the refusal is that of the person')
  emulator.onBehalfOf.refuse = undefined
  t.equal((await as(ALEX)).status, 200)
  await until(() => /credential rotated/.test(log()))
  t.equal(exchanges(emulator).at(-1)!['client_secret'], 'the-new~secret')
  t.notMatch(log(), /the-new~secret/)
})

t.test('when Entra sends Retry-After, all exchanges wait, and cached tokens stay in use', async (t) => {
  const { emulator, as, ask } = await gatewayWith(t)
  const held = emulator.userToken(ADELE)
  t.equal((await ask(get('/WhoAmI', bearer(held)))).status, 200)
  t.equal((await ask(get('/WhoAmI', `X-Api-Key: ${KEY}`))).status, 200)
  emulator.faults.entra.push({ kind: 'throttle', retryAfter: 30 })
  const first = await as(ALEX)
  t.match(first, { status: 503, code: 'GATEWAY_TOKEN_UNAVAILABLE', head: /retry-after: 30/i })
  const asked = exchanges(emulator).length
  t.match(await as('diego.siciliani@contoso.com'), { status: 503, head: /retry-after: (?:30|29|28)/i })
  t.equal(exchanges(emulator).length, asked, 'nobody else asks Entra')
  t.equal((await ask(get('/WhoAmI', bearer(held)))).status, 200, 'Dynamics is not paused')
  t.match(await ask(get('/WhoAmI', `X-Api-Key: ${KEY}`)), { status: 200 }, 'nor is the application user')
})

t.test('a refusal without Retry-After pauses only the session of that person', async (t) => {
  const { emulator, as, ask } = await gatewayWith(t)
  const token = emulator.userToken(ADELE)
  t.equal((await ask(get('/WhoAmI', `X-Api-Key: ${KEY}`))).status, 200, "the application's own token is available")
  emulator.faults.entra.push({ kind: 'throttle' })
  t.match(await ask(get('/WhoAmI', bearer(token))), { status: 503, head: /retry-after: 1/i })
  t.equal((await as(ALEX)).status, 200)
})

t.test('a keyed create and its lookups run as the person', async (t) => {
  for (const kind of ['on-behalf-of', undefined]) {
    const { emulator, ask } = await gatewayWith(t, kind === undefined ? {} : { kind, mode: 'off' })
    const body = '{"name":"Kept once"}'
    const create = (token: string): Promise<RawAnswer> =>
      ask(
        requestOf(
          'POST /accounts',
          bearer(token),
          'Idempotency-Key: "2026-11-27-0001"',
          'Content-Type: application/json',
          `Content-Length: ${body.length}`,
        ) + body,
      )
    const [adele, alex] = [emulator.userToken(ADELE), emulator.userToken(ALEX)]
    const answers = [await create(adele), await create(adele), await create(emulator.userToken(ADELE))]
    t.same(
      answers.map(({ status }) => status),
      [204, 204, 204],
      answers[0]!.body,
    )
    t.match(answers[1]!.head, /idempotency-replayed: true/i)
    t.match(answers[2]!.head, /idempotency-replayed: true/i, 'with another sign-in of the same person')
    t.notMatch((await create(alex)).head, /idempotency-replayed/i, 'the same key of another person is a different key')
    t.equal(emulator.executions, 2)
    const people = new Set(emulator.received.map(({ headers }) => claimsIn(headers['authorization'])['oid']))
    t.same(people, new Set([objectId(emulator, ADELE), objectId(emulator, ALEX)]), 'nothing ran as the application')
  }
})

t.test("a person's token together with another user is refused", async (t) => {
  for (const mode of ['optional', 'required', 'off']) {
    const { emulator, as } = await gatewayWith(t, { mode, callerIds: 'allow' })
    for (const line of [
      `x-user-email: ${ALEX}`,
      `x-user-email: ${ADELE}`,
      `CallerObjectId: ${objectId(emulator, ALEX)}`,
      `MSCRMCallerID: ${userId(emulator, ALEX)}`,
    ]) {
      t.match(await as(ADELE, line), { status: 400, code: 'GATEWAY_BAD_REQUEST' }, `${mode}: ${line}`)
    }
    t.equal(emulator.received.length, 0)
  }
})

t.test('a guest without a user row gets 403, and the log has the reason', async (t) => {
  const { as } = await gatewayWith(t)
  t.match(await as('somebody@fabrikam.example'), { status: 403, body: '0x80072560' })
})

t.test('with the credential kind on-behalf-of nothing runs as the application', async (t) => {
  const { ask, as, emulator } = await gatewayWith(t, { kind: 'on-behalf-of', mode: 'off' })
  t.match(await as(ADELE), { status: 200, body: userId(emulator, ADELE) })
  const before = emulator.received.length
  for (const line of [`X-Api-Key: ${KEY}`, `X-Api-Key: ${KEY}\r\nx-user-email: ${ALEX}`]) {
    t.match(await ask(get('/WhoAmI', line)), { status: 401, code: 'GATEWAY_USER_TOKEN_REQUIRED' }, line)
  }
  t.equal(emulator.received.length, before)
  t.match(await ask(get('/-/readyz')), { status: 200 })
})

t.test('neither tokens of people nor their claims are logged', async (t) => {
  const { emulator, ask, log } = await gatewayWith(t)
  const token = emulator.userToken(ADELE)
  await ask(get('/WhoAmI', bearer(token)))
  emulator.onBehalfOf.refuse = 65001
  const other = emulator.userToken(ALEX)
  await ask(get('/WhoAmI', bearer(other)))
  for (const secret of [token, other]) t.notMatch(log(), secret.split('.')[2]!)
  t.notMatch(log(), /adele\.vance|alex\.wilber/i)
})

const KEY = 'key-of-the-jobs'

function bearer(token: string): string {
  return `Authorization: Bearer ${token}`
}

interface Setup {
  readonly kind?: string
  readonly mode?: string
  readonly reads?: object
  readonly callerIds?: string
  /** The file with the secret. */
  readonly secretFile?: string
}

interface Asked extends Fixture {
  readonly ask: (request: string) => Promise<RawAnswer>
  /** Calls WhoAmI with a new token of the person. */
  readonly as: (person: string, ...lines: string[]) => Promise<RawAnswer>
}

async function gatewayWith(
  t: Test,
  { kind, mode, callerIds = 'refuse', secretFile, reads }: Setup = {},
): Promise<Asked> {
  const fixture = await gatewayWithFile(t, (credential) => {
    if (secretFile !== undefined) writeFileSync(secretFile, clientSecret)
    const { tenantId, clientId } = credential as { tenantId: string; clientId: string }
    const issuer = `https://login.microsoftonline.com/${tenantId}/v2.0`
    return {
      callers: [
        {
          name: 'portal',
          token: { issuer, audience: [clientId], scopes: ['access_as_user'] },
          userFrom: 'on-behalf-of',
          callerIds,
        },
        { name: 'jobs', keys: [keyHash(KEY)] },
      ],
      targets: [
        {
          url: 'https://contoso.crm4.dynamics.com',
          credential: {
            ...credential,
            ...(kind === undefined ? {} : { kind }),
            ...(secretFile === undefined ? {} : { secret: { file: secretFile } }),
          },
          ...(mode === undefined ? {} : { impersonation: { mode } }),
          ...(reads === undefined ? {} : { reads }),
        },
      ],
    }
  })
  const { port } = new URL(fixture.url)
  const ask = (request: string): Promise<RawAnswer> => rawRequest({ port: Number(port) }, request)
  return {
    ...fixture,
    ask,
    as: (person, ...lines) => ask(get('/WhoAmI', bearer(fixture.emulator.userToken(person)), ...lines)),
  }
}

/** The forms of the exchanges so far. */
function exchanges(emulator: Emulator): readonly Readonly<Record<string, string>>[] {
  return emulator.tokenRequests
    .map(({ body }) => Object.fromEntries(new URLSearchParams(body.toString())))
    .filter(({ grant_type: grant }) => grant === 'urn:ietf:params:oauth:grant-type:jwt-bearer')
}

/** The claims of the token that Dynamics saw last. */
function claimsSent(emulator: Emulator): Readonly<Record<string, unknown>> {
  return claimsIn(emulator.received.at(-1)?.headers['authorization'])
}

function claimsIn(token = ''): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
}

function callerIdsOf(emulator: Emulator): readonly string[] {
  return Object.keys(emulator.received.at(-1)!.headers).filter((name) => /caller/i.test(name))
}

/** The claims of a challenge, decoded. */
function challengeOf({ head }: RawAnswer): string {
  const encoded = /www-authenticate: Bearer error="insufficient_claims", claims="([^"]+)"/i.exec(head)?.[1] ?? ''
  return Buffer.from(encoded, 'base64').toString()
}
