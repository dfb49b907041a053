import { readFileSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

import { generate } from 'selfsigned'
import t from 'tap'
import { Agent } from 'undici'

import { check } from '../../src/commands/check/check.ts'
import { readProxies } from '../../src/config/proxies.ts'
import type { Secret } from '../../src/config/secret.ts'
import { AADSTS } from '../../src/explanations/aadsts.ts'
import { commandFor, commandForPeople } from '../support/command-io.ts'
import { redisServer } from '../support/redis-server.ts'
import { objectId } from '../support/started-emulator.ts'

const ADELE = 'adele.vance@contoso.com'

t.test('reports the finding of each step, and ends with 0', async (t) => {
  const { io, written, emulator } = await commandFor(t)

  t.equal(await check({ user: ADELE }, io), 0)
  const lines = written.stdout.split('\n').filter((line) => line.startsWith('  '))
  t.matchOnly(
    lines.map((line) => line.replace(/\d+ ms/, 'N ms')),
    [
      /✓ settings .* client-secret, client id .*, tenant .*, https:\/\/login\.microsoftonline\.com/,
      /– DNS /,
      /✓ connection .*without TLS/,
      /✓ clock/,
      /✓ tenant .*as configured/,
      /✓ token .*for http.*tenant.*application.*valid for \d+ min/,
      /✓ WhoAmI .*application user .*environment “Contoso/,
      /✓ read users/,
      /✓ act as users/,
      /✓ as the user .*adele/,
    ],
  )
  t.match(written.stdout, /All steps passed/)
  t.notMatch(written.stdout + written.stderr, emulator.clientSecret)
  t.notMatch(written.stdout, /eyJ/)
})

t.test('--json reports the same to programs', async (t) => {
  const { io, written } = await commandFor(t)
  t.equal(await check({ json: true }, io), 0)
  const { ok, targets } = JSON.parse(written.stdout)
  t.equal(ok, true)
  t.match(
    targets[0].steps.map(({ step }: { step: string }) => step),
    [
      'settings',
      'DNS',
      'connection',
      'clock',
      'tenant',
      'token',
      'WhoAmI',
      'read users',
      'act as users',
      'as the user',
    ],
  )
  t.match(targets[0].steps.at(-1), { result: 'skipped', says: /--user/ })
})

t.test('every error of Entra is explained with one fix', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  for (const number of Object.keys(AADSTS)) {
    written.stdout = ''
    emulator.faults.entra.always({ kind: 'aadsts', number: Number(number) })
    t.equal(await check({}, io), 2, number)
    t.match(written.stdout, /✗ token/, number)
    t.match(written.stdout, /✗ token .+\n\n +Why: .+\n +What to do: .+/, number)
    t.match(written.stdout, `AADSTS${number}`)
    t.notMatch(written.stdout, /WhoAmI|undefined|Trace ID/, number)
  }
})

t.test('suggests to check a secret that a comment may have truncated before creating a new one', async (t) => {
  const { io, written } = await commandFor(t, { AZURE_CLIENT_SECRET: 'wrong~secret' })
  const [target] = io.settings.targets
  const { credential } = target!
  const secret = { ...(credential as { secret: Secret }).secret, doubt: 'It ends before the #.' }
  const settings = {
    ...io.settings,
    targets: [{ ...target!, credential: { ...credential, secret } as typeof credential }],
  }
  t.equal(await check({}, { ...io, settings }), 2)
  t.match(written.stdout, /What to do: First: It ends before the #\. If the value is complete: Create a new secret/)
})

t.test("an unknown AADSTS number comes with a link to Microsoft's page", async (t) => {
  const { io, written, emulator } = await commandFor(t)
  emulator.faults.entra.always({ kind: 'aadsts', number: 123456 })
  t.equal(await check({}, io), 2)
  t.match(written.stdout, /error\?code=123456/)
})

t.test('each refusal by Dynamics is explained', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  const cases: [set: () => void, failed: RegExp, todo: RegExp][] = [
    [
      () => {
        emulator.switches.applicationUser = 'missing'
      },
      /✗ WhoAmI/,
      /no application user in this environment[\s\S]*New app user/,
    ],
    [
      () => {
        emulator.switches.applicationUser = 'disabled'
      },
      /✗ WhoAmI/,
      /disabled[\s\S]*Activate/,
    ],
    [
      () => {
        emulator.switches.applicationUser = 'without roles'
      },
      /✗ WhoAmI|✗ read users/,
      /role/,
    ],
    [
      () => {
        emulator.switches.applicationUser = 'present'
        emulator.switches.mayReadUsers = false
      },
      /✗ read users/,
      /prvReadUser is missing[\s\S]*for the whole organisation/,
    ],
    [
      () => {
        emulator.switches.mayReadUsers = true
        emulator.switches.mayImpersonate = false
      },
      /✗ act as users/,
      /Delegate directly/,
    ],
    [
      () => {
        emulator.switches.mayImpersonate = true
        emulator.switches.organization = 'disabled'
      },
      /✗ WhoAmI/,
      /environment is disabled/,
    ],
  ]
  for (const [set, failed, todo] of cases) {
    written.stdout = ''
    set()
    t.equal(await check({ user: ADELE }, io), 2)
    t.match(written.stdout, failed)
    t.match(written.stdout, todo)
  }
})

t.test('users that cannot be impersonated are distinguished', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  for (const [user, says] of [
    ['nobody@contoso.com', /No user/],
    ['a,b@contoso.com', /not an e-mail address/],
  ] as const) {
    written.stdout = ''
    t.equal(await check({ user }, io), 2)
    t.match(written.stdout, /✗ as the user/)
    t.match(written.stdout, says)
  }
  emulator.faults.dataverse.push({
    kind: 'answer',
    path: 'WhoAmI',
    skip: 2,
    status: 403,
    body: JSON.stringify({
      error: {
        code: '0x80040220',
        message: 'Principal user (Id=1, type=8) is missing prvReadAccount privilege',
      },
    }),
  })
  written.stdout = ''
  t.equal(await check({ user: ADELE }, io), 2)
  t.match(written.stdout, /prvReadAccount is missing[\s\S]*whichever of the two lacks it/)
})

t.test('reports the column that a user was found by, for an address and for an object id', async (t) => {
  const { io, written, emulator } = await commandFor(t, { USER_EMAIL_COLUMNS: 'internalemailaddress,domainname' })
  for (const [user, column] of [
    [ADELE, 'internalemailaddress'],
    ['raul.razo@contoso.com', 'domainname'],
    [objectId(emulator, ADELE).toUpperCase(), 'azureactivedirectoryobjectid'],
  ] as const) {
    written.stdout = ''
    t.equal(await check({ user }, io), 0)
    t.match(written.stdout, `found by ${column}`)
  }
  t.equal(await check({ user: '99999999-9999-4999-8999-999999999999' }, io), 2)
  t.match(written.stdout, /No user of the environment has this Entra object id[\s\S]*Compare the id with the Object ID/)
})

t.test('reports whether users can be preloaded, which never fails the check', async (t) => {
  const { io, written, emulator } = await commandFor(t, { USERS_PRELOAD: 'true' })
  emulator.switches.pageSize = 50
  t.equal(await check({}, io), 0)
  t.match(written.stdout, `✓ preload`)
  t.match(written.stdout, `${emulator.rows('systemusers').length} users can be preloaded`)

  emulator.faults.dataverse.push({
    kind: 'answer',
    path: '$select=systemuserid',
    skip: 1,
    status: 200,
    body: '{"value":[]}',
    headers: { 'content-type': 'application/json' },
  })
  await check({}, io)
  t.match(written.stdout, /! preload .*one by one: Dynamics returned no delta link/)
  emulator.faults.dataverse.push({ kind: 'answer', path: '$select=systemuserid', skip: 1, status: 400, body: '{}' })
  await check({}, io)
  t.match(written.stdout, /! preload .*one by one: Dynamics answered 400/)
  emulator.switches.untracked = ['systemusers']
  await check({}, io)
  t.match(written.stdout, /! preload .*one by one: change tracking is switched off/)
  emulator.switches.untracked = []
  emulator.faults.dataverse.push({
    kind: 'answer',
    path: '$select=systemuserid',
    skip: 1,
    status: 200,
    body: JSON.stringify({ value: Array.from({ length: 100_001 }, () => 0) }),
    headers: { 'content-type': 'application/json' },
  })
  t.equal(await check({}, io), 0)
  t.match(written.stdout, /! preload .*one by one: there are more than 100000 users/)
})

t.test('an ignored caller id is detected', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  const [adele] = emulator.rows('systemusers').filter((row) => row['internalemailaddress'] === ADELE)
  emulator.put('systemusers', { ...adele!, azureactivedirectoryobjectid: '99999999-9999-9999-9999-999999999999' })
  emulator.faults.dataverse.push({
    kind: 'answer',
    path: 'WhoAmI',
    skip: 2,
    status: 200,
    body: JSON.stringify({ UserId: 'nobody' }),
    headers: { 'content-type': 'application/json' },
  })
  t.equal(await check({ user: ADELE }, io), 2)
  t.match(written.stdout, /ran as another user/)
  const [own] = emulator.rows('systemusers').filter((row) => row['applicationid'] === emulator.clientId)
  emulator.faults.dataverse.push({
    kind: 'answer',
    path: 'WhoAmI',
    skip: 2,
    status: 200,
    body: JSON.stringify({ UserId: own!['systemuserid'] }),
    headers: { 'content-type': 'application/json' },
  })
  written.stdout = ''
  t.equal(await check({ user: ADELE }, io), 2)
  t.match(written.stdout, /Dynamics ignored the request to act as adele\S+, and ran as the application user/)
  emulator.faults.dataverse.push({ kind: 'answer', path: 'internalemailaddress', status: 200, body: '{}' })
  t.equal(await check({ user: ADELE }, io), 2)
})

t.test('for an environment that does not exist, suggests to check the URL', async (t) => {
  const { io, written } = await commandFor(t, { DYNAMICS_URL: 'http://127.0.0.1:9' })
  t.equal(await check({}, io), 2)
  t.match(written.stdout, /✗ connection[\s\S]*127\.0\.0\.1:9/)
})

t.test('a server that is not an environment', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  emulator.faults.dataverse.always({ kind: 'answer', path: 'WhoAmI', status: 200, body: '<html>sign in</html>' })
  t.equal(await check({}, io), 2)
  t.match(written.stdout, /in place of Dynamics/)
})

t.test('reports a tenant that is not that of the environment', async (t) => {
  const { io, written, emulator } = await commandFor(t, { AZURE_TENANT_ID: '11111111-1111-1111-1111-111111111111' })
  t.equal(await check({}, io), 2)
  t.match(written.stdout, new RegExp(`✗ tenant[\\s\\S]*Set AZURE_TENANT_ID=${emulator.tenantId}`))
})

t.test('a clock that is off by minutes is a warning, and by hours a failure', async (t) => {
  const fault = (wrong: number) =>
    ({
      kind: 'answer',
      path: 'WhoAmI',
      status: 401,
      headers: { date: new Date(Date.now() - wrong).toUTCString() },
    }) as const
  const minutes = await commandFor(t)
  minutes.emulator.faults.dataverse.push(fault(3 * 60_000))
  t.equal(await check({}, minutes.io), 0)
  t.match(minutes.written.stdout, /! clock .*18\d s ahead of/)

  const behind = await commandFor(t)
  behind.emulator.faults.dataverse.push(fault(-3 * 60_000))
  t.equal(await check({}, behind.io), 0)
  t.match(behind.written.stdout, /! clock .*1[78]\d s behind/)

  const none = await commandFor(t)
  none.emulator.faults.dataverse.push({ ...fault(0), headers: { date: 'some day' } })
  t.equal(await check({}, none.io), 0)
  t.match(none.written.stdout, /– clock .*no Date header/)

  const hours = await commandFor(t)
  hours.emulator.faults.dataverse.push(fault(2 * 3_600_000))
  t.equal(await check({}, hours.io), 2)
  t.match(hours.written.stdout, /✗ clock .*720\d s ahead of[\s\S]*Correct the clock/)
})

t.test('shows progress on a terminal', async (t) => {
  const { io, written } = await commandFor(t)
  await check({}, { ...io, stdout: { ...io.stdout, isTTY: true } })
  t.match(written.stdout, /… token\r/)
})

t.test('without impersonation, its privileges are not checked', async (t) => {
  const { io, written, emulator } = await commandFor(t, { IMPERSONATION: 'off' })
  emulator.switches.mayImpersonate = false
  t.equal(await check({}, io), 0)
  t.match(written.stdout, /– act as users .*IMPERSONATION=off/)
})

t.test('stops after an unknown host', async (t) => {
  const { io, written } = await commandFor(t, { DYNAMICS_URL: 'https://nothing.invalid' })
  t.equal(await check({}, io), 2)
  t.match(written.stdout, /✗ DNS .*nothing\.invalid/)
  written.stdout = ''
  t.equal(
    await check(
      {},
      {
        ...io,
        settings: { ...io.settings, proxies: readProxies({ HTTPS_PROXY: 'http://proxy.test:3128' }, []) },
      },
    ),
    2,
  )
  t.match(written.stdout, /– DNS .*the proxy resolves the name[\s\S]*✗ connection/)
  written.stdout = ''
  t.equal(await check({}, { ...io, emulated: true }), 2)
  t.match(written.stdout, /– DNS .*emulated/)
})

t.test('for products without WhoAmI, any response passes', async (t) => {
  const finance = await commandFor(t)
  const { emulator, io, written } = finance
  const [target] = io.settings.targets
  const other = (product: 'finance-and-operations' | 'business-central') => ({
    ...io,
    settings: { ...io.settings, targets: [{ ...target!, url: { ...target!.url, product } }] },
  })
  t.equal(await check({ user: ADELE }, other('finance-and-operations')), 0)
  t.match(
    written.stdout,
    /✓ WhoAmI .*responds[\s\S]*– read users .*no impersonation[\s\S]*– as the user .*no impersonation/,
  )
  for (const [product, todo] of [
    ['finance-and-operations', /System administration/],
    ['business-central', /permission sets/],
  ] as const) {
    emulator.faults.dataverse.push({ kind: 'answer', status: 401, skip: 1 })
    t.equal(await check({}, other(product)), 2)
    t.match(written.stdout, todo)
  }
  emulator.faults.dataverse.push({ kind: 'answer', status: 404, skip: 1 })
  t.equal(await check({}, other('business-central')), 2)
  t.match(written.stdout, /no Web API/)
})

t.test('facts that Dynamics does not report are not a failure', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  const refused = { kind: 'answer', status: 403, body: '{}' } as const
  emulator.faults.dataverse.push(
    { kind: 'answer', status: 503, path: 'WhoAmI' },
    { ...refused, path: 'systemusers(' },
    { ...refused, path: 'RetrieveCurrentOrganization' },
    { ...refused, path: 'RetrieveUserPrivilege' },
  )
  t.equal(await check({}, io), 0)
  t.match(
    written.stdout,
    /! connection .*response is 503[\s\S]*✓ WhoAmI .*user [0-9a-f-]{36}, organisation [0-9a-f-]{36}/,
  )
  t.match(written.stdout, /✓ WhoAmI [\s\S]*! act as users .*unknown \(403\)/)
})

t.test('skips an opaque token, and stops at a token for another environment', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  const gives = (token: string) =>
    ({
      kind: 'answer',
      status: 200,
      body: JSON.stringify({ access_token: token, expires_in: 600, token_type: 'Bearer' }),
    }) as const
  emulator.faults.entra.push(gives('opaque'))
  t.equal(await check({}, io), 2, 'Dynamics does not accept it')
  t.match(written.stdout, /✓ token +\d+ ms  valid for 10 min/)
  written.stdout = ''
  const claims = Buffer.from(JSON.stringify({ aud: 'https://other.crm4.dynamics.com', roles: ['a'] }))
  emulator.faults.entra.push(gives(`x.${claims.toString('base64url')}.x`))
  t.equal(await check({}, io), 2)
  t.match(written.stdout, /✗ token .*for https:\/\/other\.crm4\.dynamics\.com, not for http:\/\/127\.0\.0\.1/)
  t.match(written.stdout, /Why: .+\n +What to do: .*DYNAMICS_URL.*DYNAMICS_SCOPE/)
  t.notMatch(written.stdout, /WhoAmI/)
})

t.test('DYNAMICS_SCOPE must name the environment itself if Microsoft hosts it', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  const tokenStep = async ({
    origin,
    scope,
    aud,
  }: {
    readonly origin: string
    readonly scope?: string
    readonly aud: string
  }): Promise<string> => {
    const claims = Buffer.from(JSON.stringify({ aud })).toString('base64url')
    emulator.faults.entra.push({
      kind: 'answer',
      status: 200,
      body: JSON.stringify({ access_token: `x.${claims}.x`, expires_in: 600, token_type: 'Bearer' }),
    })
    const url = { ...io.settings.targets[0]!.url, origin, scope: `${origin}/.default` }
    written.stdout = ''
    await check(
      {},
      {
        ...io,
        emulated: true,
        settings: {
          ...io.settings,
          targets: [{ ...io.settings.targets[0]!, url, ...(scope === undefined ? {} : { scope }) }],
        },
      },
    )
    return / (.) token .*/s.exec(written.stdout)?.[0].replace(/\s+/g, ' ') ?? written.stdout
  }
  const contoso = { origin: 'https://contoso.crm4.dynamics.com' }
  // Not a host of Microsoft: it may be a proxy to an environment.
  const proxy = { origin: io.settings.targets[0]!.url.origin }
  const other = 'https://other.crm4.dynamics.com'

  for (const aud of [
    contoso.origin,
    `${contoso.origin}/`,
    'https://contoso.api.crm4.dynamics.com',
    '00000007-0000-0000-c000-000000000000',
  ])
    t.match(await tokenStep({ ...contoso, aud }), /✓ token/, aud)
  t.match(await tokenStep({ ...contoso, aud: other }), /✗ token.*What to do: Compare DYNAMICS_URL/)
  t.match(
    await tokenStep({ ...contoso, aud: other, scope: `${other}/.default` }),
    /✗ token.*What to do: Compare DYNAMICS_SCOPE.*https:\/\/contoso\.crm4\.dynamics\.com\/\.default is requested/,
  )
  t.match(await tokenStep({ ...proxy, aud: other, scope: `${other}/.default` }), /✓ token/)
  t.match(await tokenStep({ ...proxy, aud: other }), /✗ token/)
})

t.test('a row without isdisabled does not count as a user', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  emulator.faults.dataverse.push({
    kind: 'answer',
    status: 200,
    path: 'internalemailaddress',
    body: JSON.stringify({
      value: [
        {
          systemuserid: '88888888-8888-4888-8888-888888888888',
          internalemailaddress: ADELE,
        },
      ],
    }),
  })
  t.equal(await check({ user: ADELE }, io), 2)
  t.match(written.stdout, /✗ as the user .*lacks isdisabled\.\n\n +Why: .+\n +What to do: .+proxy/)
})

t.test('each environment is checked separately', async (t) => {
  const { io, written } = await commandFor(t)
  const [target] = io.settings.targets
  const targets = [
    { ...target!, name: 'sales' },
    { ...target!, name: 'gone', url: { ...target!.url, origin: 'http://127.0.0.1:9' } },
  ]
  t.equal(await check({ json: true }, { ...io, settings: { ...io.settings, targets } }), 2)
  t.match(JSON.parse(written.stdout), {
    ok: false,
    targets: [
      { name: 'sales', ok: true },
      { name: 'gone', ok: false },
    ],
  })
})

t.test('prints the values in use, for comparison with the app registration', async (t) => {
  const certificate = await commandFor(t, {
    AZURE_CLIENT_CERTIFICATE_PATH: new URL('../../../test/credentials/certificates/plain.pem', import.meta.url)
      .pathname,
  })
  t.equal(await check({}, certificate.io), 2)
  t.match(
    certificate.written.stdout,
    /AADSTS700027[\s\S]*Used here: certificate 9E66ED57D38CC9629388D9A77774921DA647921C until 2126-10-27/,
  )
  certificate.emulator.registerCertificate(
    readFileSync(new URL('../../../test/credentials/certificates/plain.pem', import.meta.url), 'utf8'),
  )
  certificate.written.stdout = ''
  t.equal(await check({}, certificate.io), 0)
  t.match(certificate.written.stdout, /✓ token .*certificate 9E66/)

  const claims = {
    iss: 'https://issuer.test',
    sub: 'system:serviceaccount:apps:gateway',
    aud: 'api://AzureADTokenExchange',
  }
  const token = `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`
  const file = `${t.testdir({ token })}/token`
  const federated = await commandFor(t, { AZURE_FEDERATED_TOKEN_FILE: file })
  federated.emulator.faults.entra.always({ kind: 'aadsts', number: 700213 })
  t.equal(await check({}, federated.io), 2)
  t.match(
    federated.written.stdout,
    /issuer https:\/\/issuer\.test, subject system:serviceaccount:apps:gateway, audience api:/,
  )
  t.notMatch(federated.written.stdout, token)
})

t.test('control characters in a name do not reach the terminal', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  emulator.faults.dataverse.push({
    kind: 'answer',
    path: 'systemusers(',
    status: 200,
    body: JSON.stringify({ fullname: 'a\u001b[2Jb', isdisabled: true }),
  })
  await check({}, io)
  t.match(written.stdout, /user “a \[2Jb” \(disabled\)/)
})

t.test('another tenant is a failure, whatever authority host Dynamics announces', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  const address = 'https://login.elsewhere.test/99999999-1111-1111-1111-111111111111/oauth2/authorize'
  emulator.faults.dataverse.push({
    kind: 'answer',
    path: 'WhoAmI',
    status: 401,
    headers: { 'www-authenticate': `Bearer authorization_uri="${address}", resource_id=x` },
  })
  t.equal(await check({}, io), 2)
  t.match(written.stdout, /✗ tenant[\s\S]*AZURE_TENANT_ID=99999999/)
})

t.test('a tenant that Dynamics does not announce, or announces at another authority, is not a failure', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  const announces = (address: string) =>
    ({
      kind: 'answer',
      path: 'WhoAmI',
      status: 401,
      headers: { 'www-authenticate': `Bearer authorization_uri="${address}", resource_id=x` },
    }) as const
  for (const [address, says] of [
    ['https://login.microsoftonline.com/common/oauth2/authorize', /– tenant .*no tenant of its own \(common\)/],
    ['https://login.elsewhere.test/contoso/oauth2/authorize', /! tenant .*another authority/],
  ] as const) {
    emulator.faults.dataverse.push(announces(address))
    t.equal(await check({}, io), 0)
    t.match(written.stdout, says)
  }
  const domain = await commandFor(t, { AZURE_TENANT_ID: 'contoso.onmicrosoft.com' })
  t.equal(await check({}, domain.io), 0)
  t.match(domain.written.stdout, /✓ tenant .*Dynamics announces/)
})

t.test('an unreadable platform token file is explained', async (t) => {
  const file = `${t.testdir({ token: 'a.b.c' })}/token`
  const { io, written } = await commandFor(t, { AZURE_FEDERATED_TOKEN_FILE: file })
  rmSync(file)
  t.equal(await check({}, io), 2)
  t.match(written.stdout, /✗ token .*cannot be read \(ENOENT\)/)
})

t.test('a 403 is explained by its headers and body', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  const json = { 'content-type': 'application/json' }
  const error = (code: string, message: string) => JSON.stringify({ error: { code, message } })
  for (const [fault, says] of [
    [
      { status: 403, headers: json, body: error('0x80095ffc', 'Something undocumented.') },
      /403 \(0x80095ffc\)\.\n\n +Why: .*no explanation.*\n +The response says: “Something undocumented\.”\n +What to/,
    ],
    [
      { status: 403, headers: json, body: error('0x80095ffe', 'It is rejected as access to your IP is blocked.') },
      /IP firewall blocks[\s\S]*The response says: “It is rejected/,
    ],
    [
      { status: 403, headers: { 'content-type': 'text/html' }, body: '<html>blocked</html>' },
      /Something answered 403 in place of Dynamics, with a page[\s\S]*web filter/,
    ],
    [
      { status: 302, headers: { location: 'https://filter.test/login' }, body: '' },
      /Something answered 302 in place of Dynamics, a redirect to filter\.test/,
    ],
    [{ status: 401, headers: { 'www-authenticate': 'Basic realm=x' }, body: '' }, /asks for Basic authentication/],
    [{ status: 200, headers: json, body: '{}' }, /WhoAmI has no user/],
  ] as const) {
    written.stdout = ''
    emulator.faults.dataverse.push({ kind: 'answer', path: 'WhoAmI', skip: 1, ...fault })
    t.equal(await check({}, io), 2)
    t.match(written.stdout, says)
    t.notMatch(written.stdout, /privilege|security role|<html>/)
  }
})

t.test('a 403 on reading users is a missing privilege only where Dynamics says so', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  emulator.faults.dataverse.push({ kind: 'html', path: '/systemusers?', status: 403 })
  t.equal(await check({}, io), 2)
  t.match(written.stdout, /✗ read users .*in place of Dynamics/)
  t.notMatch(written.stdout, /prvReadUser/)
})

t.test('a web page in place of the API is reported at once', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  emulator.faults.dataverse.push({ kind: 'html', path: 'WhoAmI', status: 200 })
  await check({}, io)
  t.match(written.stdout, /! connection .*the response is a page \(200\)/)
})

t.test('each reason why a user cannot be impersonated has its own fix', async (t) => {
  const { io, written } = await commandFor(t)
  for (const [user, todo] of [
    ['nestor.wilke@contoso.com', /disabled[\s\S]*What to do: Enable the user/],
    ['megan.bowen@contoso.com', /Several enabled users[\s\S]*What to do: .*disable all but one/],
    ['support@contoso.com', /application or system user[\s\S]*What to do: Name a person/],
    ['nobody@contoso.com', /No user[\s\S]*What to do: Compare the address with Primary Email/],
  ] as const) {
    written.stdout = ''
    t.equal(await check({ user }, io), 2)
    t.match(written.stdout, todo, user)
  }
})

t.test('shows the trace and correlation ids of a refusal by Entra', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  emulator.faults.entra.always({ kind: 'aadsts', number: 7000215 })
  t.equal(await check({}, io), 2)
  t.match(written.stdout, /For Microsoft's support: trace [0-9a-f-]{36}, correlation [0-9a-f-]{36}\./)
})

t.test('does not guess a reason if Dynamics ran as a third user', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  emulator.faults.dataverse.push({
    kind: 'answer',
    path: 'WhoAmI',
    skip: 2,
    status: 200,
    body: JSON.stringify({ UserId: '99999999-9999-4999-8999-999999999999' }),
  })
  t.equal(await check({ user: ADELE }, io), 2)
  t.match(written.stdout, /ran as another user\.[\s\S]*does not give the reason/)
  written.stdout = ''
  emulator.faults.dataverse.push({ kind: 'html', path: 'WhoAmI', skip: 2, status: 200 })
  t.equal(await check({ user: ADELE }, io), 2)
  t.match(written.stdout, /✗ as the user .*in place of Dynamics/)
})

t.test('tests Redis only if it is configured', async (t) => {
  const redis = await redisServer(t)
  const { io, written } = await commandFor(t, { REDIS_URL: redis.url })
  t.equal(await check({}, io), 0)
  t.match(written.stdout, /✓ Redis .*connected/)

  await redis.command('CONFIG SET maxmemory 1')
  t.equal(await check({}, io), 0)
  t.match(written.stdout, /! Redis .*cannot be used \(OOM\).*raise maxmemory/)

  await redis.kill()
  t.equal(await check({}, io), 0)
  t.match(written.stdout, /! Redis .*\(ECONNREFUSED\).*Check whether Redis runs/)
})

t.test('a certificate that expires soon is a warning', async (t) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'gateway' }], {
    keySize: 2048,
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + 10 * 86_400_000),
  })
  const path = join(t.testdir({ 'soon.pem': cert + key }), 'soon.pem')
  const { io, written, emulator } = await commandFor(t, { AZURE_CLIENT_CERTIFICATE_PATH: path })
  emulator.registerCertificate(cert)
  t.equal(await check({}, io), 0)
  t.match(written.stdout, /! token .*the certificate of the credential expires within/)
})

t.test('does not compare the tenant of a managed identity', async (t) => {
  const { emulator, io, written } = await commandFor(t)
  const [target] = io.settings.targets
  const targets = [{ ...target!, credential: { kind: 'managed-identity', clientId: undefined } as const }]
  t.equal(await check({}, { ...io, settings: { ...io.settings, targets } }), 2)
  t.match(written.stdout, `Dynamics announces ${emulator.tenantId}`)
})

t.test('a host without an HTTPS server has no certificate to report', async (t) => {
  const { io, written } = await commandFor(t)
  const [target] = io.settings.targets
  const targets = [{ ...target!, url: { ...target!.url, origin: 'https://127.0.0.2' } }]
  t.equal(await check({}, { ...io, agent: new Agent(), settings: { ...io.settings, targets } }), 2)
  t.match(written.stdout, /✗ connection/)
  t.notMatch(written.stdout, /The presented certificate/)
})

t.test('shows the addresses of a host that can be resolved', async (t) => {
  const { io, written } = await commandFor(t)
  const [target] = io.settings.targets
  const targets = [{ ...target!, url: { ...target!.url, origin: `http://${hostname()}:9` } }]
  await check({}, { ...io, settings: { ...io.settings, targets } })
  t.match(written.stdout, /✓ DNS .*[.:]/)
})

t.test('reports an environment that does not respond in time, or whose response is not an object', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  const [target] = io.settings.targets
  const targets = [{ ...target!, requestTimeout: 300 }]
  emulator.faults.dataverse.push({ kind: 'hang' })
  t.equal(await check({}, { ...io, settings: { ...io.settings, targets } }), 2)
  t.match(written.stdout, /✗ connection .*TIMEOUT/)
  emulator.faults.dataverse.push({ kind: 'answer', path: 'WhoAmI', skip: 1, status: 200, body: '7' })
  written.stdout = ''
  t.equal(await check({}, io), 2)
  t.match(written.stdout, /✗ WhoAmI/)
})

t.test('without impersonation there is no user to test', async (t) => {
  const people = await commandForPeople(t)
  await check({ user: ADELE }, people.io)
  t.match(people.written.stdout, /– as the user .*kind on-behalf-of/)
  const off = await commandFor(t, { IMPERSONATION: 'off' })
  t.equal(await check({ user: ADELE }, off.io), 0)
  t.match(off.written.stdout, /! as the user .*IMPERSONATION=off\n/)
})

t.test('a next link to another resource stops the preload test', async (t) => {
  const { io, written, emulator } = await commandFor(t, { USERS_PRELOAD: 'true' })
  emulator.faults.dataverse.push({
    kind: 'answer',
    path: '$select=systemuserid',
    skip: 1,
    status: 200,
    body: '{"value":[],"@odata.nextLink":"https://elsewhere.example/"}',
    headers: { 'content-type': 'application/json' },
  })
  await check({}, io)
  t.match(written.stdout, /! preload .*one by one/)
})
