import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'

import t from 'tap'

import { gatewayWithFile } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

// Requests that are sent before the response to an earlier one has come.

t.test('requests that wait behind another one end with the connection, too', async (t) => {
  const audit = join(t.testdir(), 'audit.log')
  const fixture = await gatewayWithFile(t, (credential) => ({
    auditLog: audit,
    targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
  }))
  const { url, emulator } = fixture
  emulator.faults.dataverse.push({ kind: 'hang', path: 'contacts' }, { kind: 'hang', path: 'leads' })
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) })
  const request = (first: string, ...others: string[]): string =>
    [`${first} HTTP/1.1`, 'Host: localhost', ...others, '', ''].join('\r\n')
  let received = ''
  socket.setEncoding('latin1').on('data', (text: string) => (received += text))
  socket.write(
    request('GET /WhoAmI', 'X-Request-Id: first') +
      request('GET /WhoAmI', 'X-Request-Id: second') +
      request('GET /contacts', 'X-Request-Id: current') +
      `${request('POST /leads', 'X-Request-Id: write', 'Content-Type: application/json', 'Content-Length: 2')}{}` +
      request('GET /accounts?$top=1', 'X-Request-Id: read') +
      `${request('POST /accounts/$query', 'X-Request-Id: query', 'Content-Type: text/plain', 'Content-Length: 9')}$top`,
  )
  await until(() => received.match(/"UserId"/g)?.length === 2)
  await until(() =>
    ['contacts', 'leads', 'accounts'].every((name) => emulator.received.some(({ url }) => url.includes(name))),
  )

  socket.destroy()

  const lines = (): Record<string, unknown>[] => fixture.lines.filter(({ msg }) => msg === 'request')
  await until(() => lines().length === 6)
  t.same(
    lines()
      .map(({ id }) => id)
      .toSorted(),
    ['current', 'first', 'query', 'read', 'second', 'write'],
  )
  t.match(
    lines().find(({ id }) => id === 'write'),
    { status: 499, attempts: 1, sent: true },
  )
  await until(() => readFileSync(audit, 'utf8').includes('\n'))
  t.match(JSON.parse(readFileSync(audit, 'utf8')), {
    requestId: 'write',
    method: 'POST',
    entitySet: 'leads',
    status: 499,
  })
  const metrics = await (await fetch(`${url}/-/metrics`)).text()
  t.match(metrics, 'gateway_requests_running{target="dynamics"} 0\n', 'nothing waits for Dynamics any more')
})
