import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import t from 'tap'

import { consent } from '../../src/commands/consent.ts'
import { commandFor, commandForPeople } from '../support/command-io.ts'
import { until } from '../support/until.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Follows a consent URL as an administrator's browser does. */
async function browse({ emulator, written }: Awaited<ReturnType<typeof commandFor>>, form: RegExp): Promise<void> {
  await until(() => written.stdout.includes('Waiting for the redirect'))
  const address = new URL(form.exec(written.stdout)![0])
  const { headers, body } = await emulator.dispatcher.request({
    origin: address.origin,
    path: address.pathname + address.search,
    method: 'GET',
  })
  await body.dump()
  await fetch(String(headers['location']))
}

t.test('prints both forms of the consent URL, and whether they are needed', async (t) => {
  const { io, written, emulator } = await commandFor(t)
  t.equal(await consent({}, io), 0)
  t.match(written.stdout, /No consent is needed/)
  const addresses = [...written.stdout.matchAll(/https:\/\/\S+/g)].map(([address]) => new URL(address))
  t.match(
    addresses.map(({ pathname }) => pathname),
    [`/${emulator.tenantId}/adminconsent`, `/${emulator.tenantId}/v2.0/adminconsent`],
  )
  for (const { searchParams } of addresses) {
    t.match(Object.fromEntries(searchParams), {
      client_id: emulator.clientId,
      redirect_uri: 'http://localhost:33333',
      state: /^.{40,}$/,
    })
  }
  t.equal(addresses[1]!.searchParams.get('scope'), `${emulator.origin}/.default`)
})

t.test('waits for the administrator, and reports that consent was granted', async (t) => {
  for (const form of [/https:\S+\/adminconsent\S+/, /https:\S+\/v2\.0\/adminconsent\S+/]) {
    const command = await commandFor(t)
    const status = consent({ wait: true, port: await freePort() }, command.io)
    await browse(command, form)
    t.equal(await status, 0)
    t.match(command.written.stdout, /Granted for the tenant/)
  }
})

t.test('reports that consent was refused, even if the response has admin_consent=True', async (t) => {
  for (const form of [/https:\S+[0-9a-f]\/adminconsent\S+/, /https:\S+\/v2\.0\/adminconsent\S+/]) {
    const command = await commandFor(t)
    command.emulator.signIn.answer = 'declined'
    const status = consent({ wait: true, port: await freePort() }, command.io)
    await browse(command, form)
    t.equal(await status, 2)
    t.match(command.written.stderr, /Not granted.*(declined|permission_denied)/)
  }
})

t.test('stops waiting after a time, and fails at once if the port is in use', async (t) => {
  const { io, written } = await commandFor(t)
  t.equal(await consent({ wait: true, port: await freePort(), timeout: 30 }, io), 2)
  t.match(written.stderr, /No administrator consented/)
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.equal(await consent({ wait: true, port: (server.address() as AddressInfo).port }, io), 2)
  t.match(written.stderr, /EADDRINUSE/)
  server.close()
})

t.test('a managed identity needs no consent; a person and Business Central do', async (t) => {
  const { io, written } = await commandFor(t, { CREDENTIAL: 'managed-identity' })
  t.equal(await consent({}, io), 0)
  t.match(written.stdout, /No consent is needed: a managed identity/)
  t.notMatch(written.stdout, /https:\/\/login/)
  const person = await commandFor(t, { CREDENTIAL: 'delegated', AZURE_TENANT_ID: 'common' })
  await consent({}, person.io)
  t.match(person.written.stdout, /Consent is needed for people[\s\S]*\/organizations\/adminconsent/)
  const bc = await commandFor(t, { DYNAMICS_URL: 'https://api.businesscentral.dynamics.com/v2.0/production' })
  await consent({}, bc.io)
  t.match(bc.written.stdout, /Business Central accepts only/)
})

t.test("callers with a person's token need two permissions, each with its own URL", async (t) => {
  for (const kind of ['on-behalf-of', 'client-secret']) {
    const command = await commandForPeople(t, kind)
    const port = await freePort()
    const status = consent({ wait: true, port }, command.io)
    await browse(command, /https:\S+user_impersonation\S+/)
    t.equal(await status, 0)
    const { stdout } = command.written
    t.match(stdout, /scope=https%3A%2F%2Fcontoso\.crm4\.dynamics\.com%2Fuser_impersonation/)
    t.match(stdout, new RegExp(`scope=api%3A%2F%2F${command.emulator.clientId}%2Faccess_as_user`))
    t.equal(/\/adminconsent\?client_id=\S+&state=\S+\n\n {2}or/.test(stdout), kind === 'client-secret')
    if (kind === 'on-behalf-of') t.match(stdout, /Consent is needed for the delegated permission/)
    t.match(stdout, /Granted for the tenant/)
  }
})

t.test('Finance & Operations needs none, and a cancelled wait is reported', async (t) => {
  const finance = await commandFor(t, { DYNAMICS_URL: 'https://contoso.operations.dynamics.com' })
  t.equal(await consent({}, finance.io), 0)
  t.match(finance.written.stdout, /System administration → Setup/)

  const { io, written } = await commandFor(t)
  const ended = new AbortController()
  const status = consent({ wait: true, port: await freePort() }, { ...io, signal: ended.signal })
  await until(() => written.stdout.includes('Waiting for the redirect'))
  ended.abort()
  t.equal(await status, 2)
  t.match(written.stderr, /Not granted\. The wait was cancelled/)
})

t.test('a redirect without a tenant is reported without its name', async (t) => {
  const { io, written } = await commandFor(t)
  const port = await freePort()
  const status = consent({ wait: true, port }, io)
  await until(() => written.stdout.includes('Waiting for the redirect'))
  const state = /state=([\w-]+)/.exec(written.stdout)![1]
  await fetch(`http://localhost:${port}/?admin_consent=True&state=${state}`)
  t.equal(await status, 0)
  t.match(written.stdout, /Granted\.\n/)
})
