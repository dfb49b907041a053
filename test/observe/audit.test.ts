import { once } from 'node:events'
import { readFileSync, renameSync, statSync } from 'node:fs'
import { connect } from 'node:net'

import { pino } from 'pino'
import t from 'tap'

import { agentFor } from '../../src/commands/agent.ts'
import { run } from '../../src/commands/serve/run.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { CallerSettings } from '../../src/config/settings/callers.ts'
import { openAuditLog } from '../../src/observe/audit-log.ts'
import { gatewayFor } from '../support/gateway-for.ts'
import { gatewayForRawDynamics } from '../support/raw-dynamics.ts'
import { rawRequest, requestOf } from '../support/raw-http.ts'

t.test('writes a line for every write, and none for reads', async (t) => {
  const file = `${t.testdir({})}/audit.log`
  const { url, emulator } = await gatewayFor(t, { AUDIT_LOG: file })
  const json = { 'content-type': 'application/json' }

  const created = await fetch(`${url}/accounts`, {
    method: 'POST',
    headers: { ...json, 'x-user-email': 'adele.vance@contoso.com', 'x-request-id': 'one' },
    body: '{"name":"Fabrikam"}',
  })
  t.equal(created.status, 204)
  const id = /\(([0-9a-f-]{36})\)/.exec(created.headers.get('odata-entityid')!)![1]
  await fetch(`${url}/accounts(${id})?$select=name`)
  await fetch(`${url}/api/data/v9.2/accounts(${id})`, { method: 'PATCH', headers: json, body: '{"name":"B"}' })
  await fetch(`${url}/accounts(${id})`, { method: 'DELETE', headers: { 'MSCRM.BypassCustomPluginExecution': 'true' } })
  await fetch(`${url}/contacts(emailaddress1='a%2Fb')`, { method: 'DELETE' })

  const adele = emulator
    .rows('systemusers')
    .find(({ internalemailaddress }) => internalemailaddress === 'adele.vance@contoso.com')?.['systemuserid']
  const lines = await linesOf(file, 4)
  t.match(lines, [
    {
      requestId: 'one',
      caller: 'anybody',
      user: adele,
      method: 'POST',
      entitySet: 'accounts',
      recordId: id,
      status: 204,
      dynamicsRequestId: String,
      time: /^\d{4}-.*Z$/,
    },
    { method: 'PATCH', entitySet: 'accounts', recordId: id, status: 204 },
    { method: 'DELETE', entitySet: 'accounts', recordId: id, status: 403, code: 'GATEWAY_CALLER_NOT_ALLOWED' },
    { method: 'DELETE', entitySet: 'contacts', recordId: "emailaddress1='a/b'" },
  ])
  t.equal(lines.length, 4)
  t.notMatch(readFileSync(file, 'utf8'), /adele|Fabrikam|Bearer/i, 'neither address nor content')
  t.equal(statSync(file).mode & 0o777, 0o600, 'readable by its owner only')
})

t.test('writes a line for a caller that disconnected, and for a record that cannot be fully named', async (t) => {
  const file = `${t.testdir({})}/audit.log`
  const { url } = await gatewayFor(t, { AUDIT_LOG: file })
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(requestOf('POST /accounts', 'Content-Length: 10', 'Expect: 100-continue'))
  // The gateway sends 100 Continue when it reads the body.
  await once(socket, 'data')
  socket.resetAndDestroy()
  t.match(await linesOf(file, 1), [{ method: 'POST', status: 499 }])

  await fetch(`${url}/accounts(name='aa${'%C3%BC'.repeat(200)}')`, { method: 'DELETE' })
  t.match((await linesOf(file, 2))[1], { method: 'DELETE', entitySet: 'accounts' })
  await fetch(`${url}/accounts()`, { method: 'DELETE' })
  const [, , nameless] = await linesOf(file, 3)
  t.match(nameless, { method: 'DELETE', entitySet: 'accounts' })
  t.notOk('recordId' in nameless!)
})

t.test('leaves out fields that Dynamics does not report', async (t) => {
  const file = `${t.testdir({})}/audit.log`
  const { port } = await gatewayForRawDynamics(t, (settings) => ({ ...settings, auditLog: file }))

  await rawRequest({ port }, requestOf('POST /WinOpportunity'))

  const [line] = await linesOf(file, 1)
  t.match(line, { method: 'POST', entitySet: 'WinOpportunity', status: 200 })
  t.notOk('dynamicsRequestId' in line! || 'recordId' in line! || 'user' in line!)
})

t.test('writes to stdout and stderr', (t) => {
  for (const where of ['stdout', 'stderr']) {
    const log = openAuditLog(where, (error) => t.fail(error.message))
    log.reopen()
    log.close()
  }
  t.pass('is opened, and stays open')
  t.end()
})

t.test('writes a line for every write in a batch', async (t) => {
  const file = `${t.testdir({})}/audit.log`
  const { url } = await gatewayFor(t, { AUDIT_LOG: file })
  const part = (...lines: string[]): string[] => [
    '--b',
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    ...lines,
    '',
  ]

  const answer = await fetch(`${url}/$batch`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/mixed;boundary=b' },
    body: [
      ...part('GET accounts?$top=1 HTTP/1.1', ''),
      ...part('POST accounts HTTP/1.1', 'Content-Type: application/json', '', '{"name":"A"}'),
      ...part(
        'PATCH accounts(00000000-0000-0000-0000-00000000000a) HTTP/1.1',
        'Content-Type: application/json',
        '',
        '{"name":"B"}',
      ),
      '--b--',
      '',
    ].join('\r\n'),
  })
  t.equal(answer.status, 200)

  t.match(await linesOf(file, 2), [
    { method: 'POST', entitySet: 'accounts', part: 2, status: 200 },
    { method: 'PATCH', entitySet: 'accounts', recordId: '00000000-0000-0000-0000-00000000000a', part: 3, status: 200 },
  ])
})

t.test('writes the same lines for every form of the batch URL', async (t) => {
  const file = `${t.testdir({})}/audit.log`
  const { port } = await gatewayForRawDynamics(t, (settings) => ({ ...settings, auditLog: file }))
  const body = JSON.stringify({ requests: [{ id: '1', method: 'DELETE', url: 'accounts(1)' }] })
  const addresses = ['/$batch', '/$batch/', '/%24batch/', '/$BATCH', '/api/data/v9.2/$batch/', '/$batch/?a=b']

  for (const address of addresses) {
    const head = requestOf(`POST ${address}`, 'Content-Type: application/json', `Content-Length: ${body.length}`)
    t.equal((await rawRequest({ port }, head + body)).status, 200, address)
  }

  const lines = await linesOf(file, addresses.length)
  t.same(
    lines.map(({ method, entitySet, part }) => [method, entitySet, part]),
    addresses.map(() => ['DELETE', 'accounts', 1]),
  )
})

t.test(
  'writes a line for a write that is refused before its body is read, and for a batch with unknown parts',
  async (t) => {
    const file = `${t.testdir({})}/audit.log`
    const { port } = await gatewayForRawDynamics(t, (settings) => ({ ...settings, auditLog: file }))
    const json = 'Content-Type: application/json'
    const send = async (target: string, body: string, ...lines: string[]): Promise<number> => {
      const head = requestOf(target, ...lines, `Content-Length: ${Buffer.byteLength(body)}`)
      return (await rawRequest({ port }, head + body)).status
    }
    const read = { id: '1', method: 'GET', url: 'accounts(1)' }
    const change = { id: '2', method: 'DELETE', url: 'accounts(2)' }
    const bypass = { ...change, id: '3', headers: { 'MSCRM.BypassCustomPluginExecution': 'true' } }
    const batch = (...requests: readonly object[]): string => JSON.stringify({ requests })

    t.equal(await send('POST /$batch', batch(change), json, 'Host: evil.example'), 421)
    t.equal(await send('POST /$batch', batch(change), json, 'Origin: https://evil.example'), 403)
    t.equal(await send('POST /$batch', batch(change), json, 'Content-Encoding: gzip'), 400)
    t.equal(await send('POST /$batch', batch(change), 'Content-Type: text/plain'), 400)
    t.equal(await send('POST /$batch', batch(change), json, 'Expect: miracles'), 417)
    t.equal(await send('POST /$batch', batch(read, change, bypass, change), json), 403)
    t.equal(await send('POST /$batch', batch(change).slice(0, -1), json), 400)
    t.equal(await send('DELETE /accounts(1)/../b', ''), 400)
    t.equal(await send('DELETE http://localhost/accounts(1)', ''), 400)
    t.equal(await send('QUERY /accounts', '', 'Origin: https://evil.example'), 403)
    t.equal(await send('POST /accounts/$query', '$top=1', json), 415)
    t.equal(await send('POST /$batch', batch(read), json), 200)

    const of = (line: Record<string, unknown>): unknown[] => [line['entitySet'], line['part'], line['code']]
    t.same((await linesOf(file, 12)).map(of), [
      ['$batch', undefined, 'GATEWAY_HOST_NOT_ALLOWED'],
      ['$batch', undefined, 'GATEWAY_ORIGIN_NOT_ALLOWED'],
      ['$batch', undefined, 'GATEWAY_BAD_BATCH'],
      ['$batch', undefined, 'GATEWAY_BAD_BATCH'],
      ['$batch', undefined, 'GATEWAY_EXPECTATION_FAILED'],
      ['$batch', undefined, 'GATEWAY_CALLER_NOT_ALLOWED'],
      ['accounts', 2, 'GATEWAY_CALLER_NOT_ALLOWED'],
      ['accounts', 3, 'GATEWAY_CALLER_NOT_ALLOWED'],
      ['$batch', undefined, 'GATEWAY_BAD_BATCH'],
      ['accounts', 1, 'GATEWAY_BAD_BATCH'],
      ['accounts', undefined, 'GATEWAY_BAD_REQUEST'],
      ['', undefined, 'GATEWAY_BAD_REQUEST'],
    ])
  },
)

t.test('has the status of the response to a malformed or stalled body', async (t) => {
  const file = `${t.testdir({})}/audit.log`
  const { port } = await gatewayForRawDynamics(t, (settings) => ({ ...settings, auditLog: file, bodyTimeout: 300 }))
  const send = async (body: string, ...lines: string[]): Promise<number> => {
    const head = requestOf('POST /accounts', 'Content-Type: application/json', ...lines)
    return (await rawRequest({ port }, head + body)).status
  }

  t.equal(await send('no chunk\r\n', 'Transfer-Encoding: chunked'), 400)
  t.equal(await send('{', 'Content-Length: 10'), 408)

  t.match(await linesOf(file, 2), [
    { method: 'POST', entitySet: 'accounts', status: 400, code: 'GATEWAY_BAD_REQUEST' },
    { method: 'POST', entitySet: 'accounts', status: 408, code: 'GATEWAY_REQUEST_TOO_SLOW' },
  ])
})

t.test('writes a line for a write without a user, and names the target', async (t) => {
  const file = `${t.testdir({})}/audit.log`
  const caller = { name: 'app', keys: ['0'.repeat(64)], certificates: [], rules: [] } as unknown as CallerSettings
  const { port } = await gatewayForRawDynamics(t, (settings) => ({
    ...settings,
    auditLog: file,
    callers: [caller],
    targets: settings.targets.map((target) => ({ ...target, name: 'sales' })),
  }))
  const body = JSON.stringify({ requests: [] })
  const json = ['Content-Type: application/json', `Content-Length: ${body.length}`]

  t.equal((await rawRequest({ port }, requestOf('POST /sales/$batch', ...json) + body)).status, 401)
  t.equal((await rawRequest({ port }, requestOf('DELETE /sales/accounts(1)?x=y'))).status, 401)

  t.match(await linesOf(file, 2), [
    { target: 'sales', caller: 'unknown', entitySet: '$batch', status: 401, code: 'GATEWAY_CALLER_UNKNOWN' },
    { target: 'sales', caller: 'unknown', entitySet: 'accounts', recordId: '1', status: 401 },
  ])
})

t.test('continues in a new file after log rotation', async (t) => {
  const folder = t.testdir({})
  const { url, running } = await gatewayFor(t, { AUDIT_LOG: `${folder}/audit.log` })

  await fetch(`${url}/accounts(1)`, { method: 'DELETE' })
  await linesOf(`${folder}/audit.log`, 1)
  renameSync(`${folder}/audit.log`, `${folder}/old.log`)
  running.reload()
  await fetch(`${url}/accounts(2)`, { method: 'DELETE' })

  t.match(await linesOf(`${folder}/audit.log`, 1), [{ recordId: '2' }])
  t.match(await linesOf(`${folder}/old.log`, 1), [{ recordId: '1' }])
})

t.test('a file that cannot be written is a configuration error, found at the check or when it is opened', async (t) => {
  const variables = { DYNAMICS_URL: 'https://contoso.crm4.dynamics.com', CREDENTIAL: 'managed-identity' }
  const auditLog = `${t.testdir({})}/nowhere/audit.log`
  const fault = { message: /AUDIT_LOG .*ENOENT/ }
  t.throws(() => loadSettings({ ...variables, AUDIT_LOG: auditLog }, undefined), fault)

  const settings = { ...loadSettings(variables, undefined), auditLog }
  await t.rejects(run(settings, pino({ level: 'silent' }), agentFor(settings)), fault)
})

/** The lines of `file` once there are `count`. */
async function linesOf(file: string, count: number): Promise<Record<string, unknown>[]> {
  for (;;) {
    const lines = text(file)
      .split('\n')
      .filter((line) => line !== '')
    if (lines.length >= count) return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
