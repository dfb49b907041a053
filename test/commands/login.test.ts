import { readFileSync, readdirSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import t from 'tap'
import type { Test } from 'tap'

import { check } from '../../src/commands/check/check.ts'
import { explanationOf, login } from '../../src/commands/login/login.ts'
import { logout } from '../../src/commands/login/logout.ts'
import { openBrowser } from '../../src/commands/login/open-browser.ts'
import { connectCredential } from '../../src/credentials/connect-credential.ts'
import { issuesToken, json, memoryLog, startAuthority } from '../support/authority.ts'
import { commandFor } from '../support/command-io.ts'
import { until } from '../support/until.ts'

async function delegatedFor(t: Test, env: Record<string, string> = {}) {
  const home = t.testdir({})
  return { ...(await commandFor(t, { CREDENTIAL: 'delegated', XDG_STATE_HOME: home, ...env })), home }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Signs in as a person's browser does, and follows the redirect. */
async function browse(
  { emulator, written }: Awaited<ReturnType<typeof delegatedFor>>,
  back: (location: URL) => Promise<unknown> = fetch,
): Promise<URL> {
  await until(() => written.stdout.includes('Waiting for the redirect'))
  const address = new URL(/https:\/\/\S+/.exec(written.stdout)![0])
  const { headers, body } = await emulator.dispatcher.request({
    origin: address.origin,
    path: address.pathname + address.search,
    method: 'GET',
  })
  await body.dump()
  const location = new URL(String(headers['location']))
  await back(location)
  return address
}

t.test(
  'signs a person in through the browser with PKCE, and stores the refresh token readable by its owner only',
  async (t) => {
    const command = await delegatedFor(t)
    const port = await freePort()
    const status = login({ port }, command.io)
    let page = ''
    const address = await browse(command, async (location) => {
      page = await (await fetch(location)).text()
    })

    t.equal(await status, 0)
    t.match(Object.fromEntries(address.searchParams), {
      response_type: 'code',
      redirect_uri: `http://localhost:${port}`,
      code_challenge_method: 'S256',
      state: /^.{40,}$/,
      scope: /\/\.default offline_access/,
    })
    t.match(page, /Done\. You can close this tab/)
    t.match(command.written.stdout, /Signed in as .*@contoso\.com/)
    const [file] = readdirSync(`${command.home}/dynamics-gateway`)
    t.equal(statSync(`${command.home}/dynamics-gateway/${file}`).mode & 0o777, 0o600)
    t.equal(statSync(`${command.home}/dynamics-gateway`).mode & 0o777, 0o700)
    t.match(JSON.parse(readFileSync(`${command.home}/dynamics-gateway/${file}`, 'utf8')), {
      refreshToken: /.+/,
      userName: /@contoso\.com/,
    })
    t.notMatch(
      command.written.stdout,
      JSON.parse(readFileSync(`${command.home}/dynamics-gateway/${file}`, 'utf8')).refreshToken,
    )
  },
)

t.test('afterwards the gateway forwards as that person, renews the token, and check names the person', async (t) => {
  const command = await delegatedFor(t)
  const status = login({ device: true }, command.io)
  command.emulator.signIn.interval = 0
  t.equal(await status, 0)
  const log = memoryLog()
  const credential = connectCredential(command.io.settings.targets[0]!, {
    agent: command.io.agent,
    log,
    env: command.io.env,
  })
  t.teardown(credential.close)
  const first = await credential.authorization()
  credential.reload()
  await until(() => credential.state().renewals === 2)
  t.not(await credential.authorization(), first)
  await new Promise((resolve) => setTimeout(resolve, 400))
  t.equal(credential.state().renewals, 2, 'storing the next refresh token does not cause another fetch')

  command.written.stdout = ''
  await check({}, command.io)
  t.match(command.written.stdout, /WhoAmI .*user “/)
})

t.test('signs in with a device code, for machines without a browser', async (t) => {
  const command = await delegatedFor(t)
  command.emulator.signIn.interval = 0
  command.emulator.signIn.answer = 'waiting'
  const status = login({ device: true }, command.io)
  await until(() => command.emulator.tokenRequests.length > 1)
  t.match(command.written.stdout, /Open https:\/\/microsoft\.com\/devicelogin .* code \S+/)
  command.emulator.signIn.answer = 'granted'
  t.equal(await status, 0)
})

t.test('reports why a sign-in failed', async (t) => {
  const declined = await delegatedFor(t)
  declined.emulator.signIn.answer = 'declined'
  const status = login({ port: await freePort() }, declined.io)
  await browse(declined)
  t.equal(await status, 2)
  t.match(declined.written.stderr, /AADSTS65004[\s\S]*What to do/)

  const nobody = await delegatedFor(t)
  t.equal(await login({ port: await freePort(), timeout: 50 }, nobody.io), 2)
  t.match(nobody.written.stderr, /Nobody signed in/)
  nobody.emulator.signIn.answer = 'waiting'
  t.equal(await login({ device: true, timeout: 50 }, nobody.io), 2)
  t.match(nobody.written.stderr, /Nobody signed in[\s\S]*Nobody signed in/)

  const ended = new AbortController()
  const left = login({ port: await freePort() }, { ...nobody.io, signal: ended.signal })
  await until(() => nobody.written.stdout.includes('Waiting for the redirect'))
  ended.abort()
  t.equal(await left, 2)
  t.match(nobody.written.stderr, /was cancelled/)

  const secretly = await commandFor(t)
  t.equal(await login({}, secretly.io), 2)
  t.match(secretly.written.stderr, /Set CREDENTIAL=delegated/)
})

t.test('reports a port that is in use', async (t) => {
  const command = await delegatedFor(t)
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  t.equal(await login({ port }, command.io), 2)
  t.match(command.written.stderr, new RegExp(`Port ${port}.*EADDRINUSE[\\s\\S]*--port`))
  server.close()
})

// Any page that the person visits can redirect the browser to loopback, to plant another person's sign-in.
t.test('refuses the redirect of another sign-in, and keeps waiting', async (t) => {
  const command = await delegatedFor(t)
  const port = await freePort()
  const status = login({ port }, command.io)
  await browse(command, async (location) => {
    for (const path of ['/?code=evil', '/?code=evil&state=wrong']) {
      t.equal((await fetch(`http://localhost:${port}${path}`)).status, 400)
    }
    for (const path of ['/favicon.ico', '/']) t.equal((await fetch(`http://localhost:${port}${path}`)).status, 404)
    t.equal((await fetch(`http://localhost:${port}/`, { method: 'DELETE' })).status, 404)
    t.equal((await fetch(`http://localhost:${port}/`, { method: 'POST', body: 'x'.repeat(100_000) })).status, 404)
    const form = new URLSearchParams(location.search)
    t.equal(
      (await fetch(`http://localhost:${port}/`, { method: 'POST', body: form })).status,
      200,
      'the redirect may also be a form POST',
    )
  })
  t.equal(await status, 0)
})

t.test('the gateway reports that Entra requires a new sign-in', async (t) => {
  const command = await delegatedFor(t)
  command.emulator.signIn.interval = 0
  const log = memoryLog()
  const credential = connectCredential(command.io.settings.targets[0]!, {
    agent: command.io.agent,
    log,
    env: command.io.env,
  })
  t.teardown(credential.close)
  await t.rejects(credential.authorization() as Promise<string>, { code: 'GATEWAY_CREDENTIAL_REJECTED' })
  t.match(credential.state().lastFailure, /Nobody has signed in.*dynamics-gateway login/)

  await login({ device: true }, command.io)
  for (const number of [50076, 700082, 70000]) {
    command.emulator.faults.entra.push({ kind: 'aadsts', number })
    credential.reload()
    const { failures } = credential.state()
    await until(() => credential.state().failures > failures)
    t.match(credential.state().lastFailure, /login` again/, String(number))
  }
})

t.test('logout removes what login stored', async (t) => {
  const command = await delegatedFor(t)
  command.emulator.signIn.interval = 0
  await login({ device: true }, command.io)
  t.equal(await logout({}, command.io), 0)
  t.same(readdirSync(`${command.home}/dynamics-gateway`), [])
  t.equal(await logout({}, command.io), 0)
  t.match(command.written.stdout, /Signed out[\s\S]*Nobody was signed in/)
})

t.test('reports other failures of a device code', async (t) => {
  const command = await delegatedFor(t)
  const { emulator, io, written } = command
  emulator.signIn.interval = 0
  const answer = (status: number, body: object) =>
    ({
      kind: 'answer',
      status,
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    }) as const
  const attempt = async (): Promise<string> => {
    written.stderr = ''
    t.equal(await login({ device: true }, io), 2)
    return written.stderr
  }
  emulator.faults.entra.push({ ...answer(200, { device_code: 5 }), path: 'devicecode' })
  t.match(await attempt(), /no device code[\s\S]*without --device/)
  emulator.faults.entra.push({ kind: 'aadsts', number: 7000218, path: 'devicecode' })
  t.match(await attempt(), /AADSTS7000218/)
  emulator.faults.entra.push({ kind: 'aadsts', number: 70020 })
  t.match(await attempt(), /has expired/)
  emulator.faults.entra.push({ kind: 'aadsts', number: 53003 })
  t.match(await attempt(), /Conditional Access/)
  emulator.faults.entra.push(answer(200, { access_token: 'x', expires_in: 5 }))
  t.match(await attempt(), /no refresh token/)
  emulator.faults.entra.push({ kind: 'empty' })
  t.match(await attempt(), /answer that an authority would give/)
})

t.test('reports a folder that is not writable', async (t) => {
  const home = t.testdir({ file: 'not a folder' })
  const command = await commandFor(t, { CREDENTIAL: 'delegated', XDG_STATE_HOME: `${home}/file` })
  command.emulator.signIn.interval = 0
  t.equal(await login({ device: true }, command.io), 2)
  t.match(command.written.stderr, /cannot be stored in .*ENOTDIR[\s\S]*XDG_STATE_HOME/)
})

t.test('explains every redirect without a code', async (t) => {
  const cases: [query: string, sentence: RegExp][] = [
    ['error=access_denied', /declined \(access_denied\)/],
    ['error=invalid_scope', /invalid_scope/],
    ['error=interaction_required&error_description=AADSTS50105:+no', /AADSTS50105[\s\S]*Assignment required/],
    ['error=%1b[2J', /unknown/],
    ['nothing=here', /400/],
  ]
  for (const [query, sentence] of cases) {
    const command = await delegatedFor(t)
    const port = await freePort()
    const status = login({ port }, command.io)
    await until(() => command.written.stdout.includes('Waiting for the redirect'))
    const { searchParams } = new URL(/https:\/\/\S+/.exec(command.written.stdout)![0])
    const page = await (await fetch(`http://localhost:${port}/?${query}&state=${searchParams.get('state')}`)).text()
    t.match(page, /not signed in/)
    t.equal(await status, 2)
    t.match(command.written.stderr, sentence)
    t.notMatch(command.written.stderr, '\u001b')
  }
})

t.test(
  'polls for a device code more slowly when the authority asks for it, and shows the complete verification URL if there is one',
  async (t) => {
    const command = await delegatedFor(t)
    const { emulator, io, written } = command
    const answer = (status: number, body: object) =>
      ({
        kind: 'answer',
        status,
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }) as const
    emulator.faults.entra.push(
      {
        ...answer(200, {
          device_code: 'd',
          user_code: 'ABCD',
          verification_uri: 'https://idp.test/device',
          verification_uri_complete: 'https://idp.test/device?c=ABCD',
          interval: 0,
        }),
        path: 'devicecode',
      },
      answer(400, { error: 'slow_down' }),
    )
    const began = performance.now()
    // After the first refusal it would wait for five seconds, which is longer than this timeout.
    t.equal(await login({ device: true, timeout: 4000 }, io), 2)
    t.match(written.stdout, /or open https:\/\/idp\.test\/device\?c=ABCD/)
    t.ok(performance.now() - began >= 4000)
    t.equal(emulator.tokenRequests.length, 1)
  },
)

t.test('requires the port on both addresses of localhost', async (t) => {
  const server = createServer().listen(0, '::1')
  const listening = await new Promise<boolean>((resolve) =>
    server.once('listening', () => resolve(true)).once('error', () => resolve(false)),
  )
  if (!listening) {
    t.pass('this machine has no IPv6')
    return
  }
  const command = await delegatedFor(t)
  t.equal(await login({ port: (server.address() as AddressInfo).port }, command.io), 2)
  t.match(command.written.stderr, /EADDRINUSE/)
  server.close()
})

t.test('works on a machine without a browser', async (t) => {
  const path = process.env['PATH']
  t.teardown(() => {
    process.env['PATH'] = path
  })
  process.env['PATH'] = '/nowhere'
  for (const platform of ['linux', 'darwin', 'win32'] as const) {
    t.doesNotThrow(() => openBrowser('http://localhost', platform))
  }
  await new Promise((resolve) => setTimeout(resolve, 50))
})

t.test('check of a signed-in person does not blame an application user', async (t) => {
  const command = await delegatedFor(t)
  const { io, written, emulator } = command
  emulator.signIn.interval = 0
  t.equal(await login({ device: true }, io), 0)

  t.equal(await check({ user: 'adele.vance@contoso.com' }, io), 0)
  t.match(written.stdout, /– act as users .*IMPERSONATION=off/)
  t.match(written.stdout, /! as the user .*IMPERSONATION=off, the default of CREDENTIAL=delegated/)

  const [target] = io.settings.targets
  const acting = {
    ...io,
    settings: {
      ...io.settings,
      targets: [{ ...target!, impersonation: { ...target!.impersonation, mode: 'optional' as const } }],
    },
  }
  const refused = (code: string, message: string, path = 'WhoAmI', skip = 1) =>
    emulator.faults.dataverse.push({
      kind: 'answer',
      status: 403,
      path,
      skip,
      body: JSON.stringify({ error: { code, message } }),
      headers: { 'content-type': 'application/json' },
    })
  for (const [arrange, says] of [
    [
      () => refused('0x80072560', 'The user is not a member of the organization.'),
      /person who signed in is not a user of this environment/,
    ],
    [
      () => refused('0x80042F09', 'The user has not been assigned any roles.'),
      /person who signed in has no security role/,
    ],
    [() => refused('0x80040225', 'The user is disabled'), /person who signed in is disabled/],
    [
      () => refused('0x80040220', 'Principal user is missing prvReadUser privilege', '/systemusers?', 0),
      /prvReadUser is missing[\s\S]*role of the person who signed in/,
    ],
    [
      () =>
        emulator.faults.dataverse.push({
          kind: 'answer',
          status: 200,
          path: 'RetrieveUserPrivilege',
          body: '{"RolePrivileges":[]}',
          headers: { 'content-type': 'application/json' },
        }),
      /person who signed in may not act as other users[\s\S]*IMPERSONATION=off/,
    ],
  ] as const) {
    written.stdout = ''
    arrange()
    t.equal(await check({ user: 'adele.vance@contoso.com' }, acting), 2)
    t.match(written.stdout, says)
    t.notMatch(written.stdout, /application user/i)
  }

  const own = emulator.rows('systemusers').find((row) => row['internalemailaddress'] === 'adele.vance@contoso.com')!
  const answer = (path: string, skip: number, body: object): void =>
    emulator.faults.dataverse.push({
      kind: 'answer',
      status: 200,
      path,
      skip,
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
  answer('RetrieveUserPrivilege', 0, {
    RolePrivileges: [{ PrivilegeName: 'prvActOnBehalfOfAnotherUser', Depth: 'Global' }],
  })
  answer('WhoAmI', 2, { UserId: own['systemuserid'] })
  written.stdout = ''
  t.equal(await check({ user: 'isaiahxlanger@contoso.com' }, acting), 2)
  t.match(written.stdout, /Dynamics ignored the request to act as isaiah\S+, and ran as the person who signed in/)
})

t.test('accepts responses without a name and without a polling interval', async (t) => {
  const command = await delegatedFor(t)
  const authority = await startAuthority(t)
  const io = { ...command.io, agent: authority.dispatcher as unknown as typeof command.io.agent }
  const codes = { device_code: 'd', user_code: 'u', verification_uri: 'https://microsoft.com/devicelogin' }
  authority.respond = ({ url }, response) =>
    url.includes('devicecode')
      ? json(response, 200, codes)
      : issuesToken(3600, { refresh_token: 'r' })({} as never, response)
  t.equal(await login({ device: true, timeout: 200 }, io), 2)
  t.match(command.written.stderr, /Nobody signed in/)
  authority.respond = ({ url }, response) =>
    url.includes('devicecode')
      ? json(response, 200, { ...codes, interval: 0 })
      : issuesToken(3600, { refresh_token: 'r' })({} as never, response)
  t.equal(await login({ device: true }, io), 0)
  t.match(command.written.stdout, /Signed in\. Stored in/)
})

t.test('opens the browser on a terminal, and rethrows unexpected errors', async (t) => {
  const path = process.env['PATH']
  t.teardown(() => {
    process.env['PATH'] = path
  })
  process.env['PATH'] = '/nowhere'
  const command = await delegatedFor(t)
  const io = { ...command.io, stdout: { ...command.io.stdout, isTTY: true } }
  const status = login({ port: await freePort() }, io)
  await browse(command)
  t.equal(await status, 0)
  const bug = new TypeError('x is not a function')
  t.throws(() => explanationOf(bug, 1, { store: { file: 'x' } as never }), bug)
})
