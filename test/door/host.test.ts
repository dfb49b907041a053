import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'

import { isAddress, isLocalName, readHost } from '../../src/door/host.ts'
import { callersFixture } from '../support/callers-fixture.ts'
import { get, rawRequest } from '../support/raw-http.ts'

t.test("names that cannot exist in public DNS, and plain loopback addresses, are the gateway's own", (t) => {
  for (const name of [
    'localhost',
    '127.0.0.1',
    '127.8.9.10',
    '[::1]',
    'gateway',
    'my_service',
    '3f2a9b1c2d3e',
    'app.localhost',
    'printer.local',
    'gw.corp.internal',
    'gateway.crm.svc',
    'gateway.crm.svc.cluster.local',
    'gateway.crm.svc.cluster.local.',
    'box.home.arpa',
  ])
    t.ok(isLocalName(name), name)
  t.end()
})

t.test("other names and spellings are not the gateway's own", (t) => {
  for (const name of [
    '0.0.0.0',
    '127.1',
    '127.0.1',
    '0127.0.0.1',
    '127.0.0.01',
    '127.0.0.256',
    '2130706433',
    '0x7f000001',
    '017700000001',
    '0',
    '127.0.0.0x1',
    '[::ffff:127.0.0.1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    'localhost.',
    '127.0.0.1.',
    'localhost.evil.example',
    'evil.example',
    'evillocal.example',
    '127.0.0.1.nip.io',
    'a.cluster.local.evil.example',
    '.local',
    'a..local',
    'home.arpa.example',
    '10.0.0.1',
  ])
    t.notOk(isLocalName(name), name)
  t.end()
})

t.test('a Host header is a name with an optional port', (t) => {
  t.same(readHost('LocalHost:8080'), { name: 'localhost', port: '8080' })
  t.same(readHost('[::1]:80'), { name: '[::1]', port: '80' })
  t.same(readHost('localhost:'), { name: 'localhost', port: '' })
  for (const written of [
    '',
    ' ',
    'localhost:65536',
    'localhost:080a',
    'localhost:123456',
    'localhost:80:80',
    'user@localhost',
    'localhost, evil.example',
    '::1',
    'localhost/evil',
    'localhost#',
    'loc alhost',
    '[::1',
    'http://localhost',
    'localhost\\',
    'l\u00f6calhost',
    '*',
  ])
    t.equal(readHost(written), undefined, written)
  t.end()
})

t.test('a page whose host name is rebound to this machine gets 421', async (t) => {
  // DNS rebinding: evil.example resolves to 127.0.0.1 the second time, and the browser takes the response for
  // the page's own.
  const { server, passed } = await callersFixture(t)

  for (const name of [
    'evil.example',
    'localhost.evil.example',
    '0.0.0.0',
    '127.1',
    '[::ffff:127.0.0.1]',
    '2130706433',
    '10.1.2.3',
    'localhost.',
  ]) {
    const answer = await rawRequest(server, get('/accounts', `Host: ${name}`))
    t.match(answer, { status: 421, code: 'GATEWAY_HOST_NOT_ALLOWED' }, name)
  }
  t.same(passed, [])
})

t.test('a request without one well-formed Host gets 400, in any version of HTTP', async (t) => {
  const { server, passed } = await callersFixture(t)

  for (const [attack, bytes] of Object.entries({
    'no Host': 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n',
    'HTTP/1.0 without Host': 'GET / HTTP/1.0\r\n\r\n',
    'HTTP/0.9': 'GET /\r\n\r\n',
    RTSP: 'GET / RTSP/1.0\r\n\r\n',
    'two Hosts': get('/', 'Host: localhost', 'Host: evil.example'),
    'the same Host twice': get('/', 'Host: localhost', 'Host: localhost'),
    'empty Host': get('/', 'Host:'),
    'a list': get('/', 'Host: localhost, evil.example'),
    userinfo: get('/', 'Host: localhost@evil.example'),
  }))
    t.match(await rawRequest(server, bytes), { status: 400, code: 'GATEWAY_BAD_REQUEST' }, attack)
  t.same(passed, [])
})

t.test('listed names and the host of PUBLIC_URL are accepted, with any port unless the list has one', async (t) => {
  const { server } = await callersFixture(t, {
    allowedHosts: ['Gateway.contoso.com', 'other.contoso.com:8443'],
    publicUrl: 'https://dynamics.contoso.com',
  })

  for (const [name, status] of Object.entries({
    'gateway.contoso.com': 200,
    'GATEWAY.CONTOSO.COM:8080': 200,
    'other.contoso.com:8443': 200,
    'other.contoso.com': 421,
    'dynamics.contoso.com': 200,
    'contoso.com': 421,
    'x.gateway.contoso.com': 421,
  }))
    t.equal((await rawRequest(server, get('/', `Host: ${name}`))).status, status, name)
})

t.test("the address that received the connection is the gateway's own, in its plain form", (t) => {
  t.ok(isAddress('10.1.2.3', '10.1.2.3'))
  t.ok(isAddress('10.1.2.3', '::ffff:10.1.2.3'), 'IPv4 on a dual-stack listener')
  t.ok(isAddress('[fd00::1]', 'fd00::1'))
  t.notOk(isAddress('10.1.2.4', '10.1.2.3'))
  t.notOk(isAddress('[::ffff:10.1.2.3]', '::ffff:10.1.2.3'))
  t.notOk(isAddress('undefined', undefined), 'the caller has disconnected')
  t.end()
})

t.test('on a Unix socket any Host is accepted', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'gateway.sock')
  const { server } = await callersFixture(t, { host: `unix:${path}` })
  await new Promise<void>((resolve) => server.close(() => server.listen(path, resolve)))
  t.equal((await rawRequest({ path }, get('/', 'Host: whatever.example'))).status, 200)
  t.equal((await rawRequest({ path }, get('/', 'Host:'))).status, 200)
})
