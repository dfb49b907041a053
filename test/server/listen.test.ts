import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { request } from 'node:https'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { generate } from 'selfsigned'
import t from 'tap'

import { listen, listenFault, originOf } from '../../src/server/listen.ts'
import { gatewayFor } from '../support/gateway-for.ts'
import { gatewayForRawDynamics } from '../support/raw-dynamics.ts'
import { get, rawRequest } from '../support/raw-http.ts'

const NETWORK_COUNTERS = '/proc/net/netstat'

/** How often the system had no place for a new connection, on any port of this machine. */
function droppedConnections(): number {
  const [names = '', values = ''] = readFileSync(NETWORK_COUNTERS, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
  return Number(values.split(' ')[names.split(' ').indexOf('ListenOverflows')])
}

/** The longest backlog that the system allows; 0 where it does not tell. */
function longestBacklog(): number {
  const setting = '/proc/sys/net/core/somaxconn'
  return existsSync(setting) && existsSync(NETWORK_COUNTERS) ? Number(readFileSync(setting, 'utf8')) : 0
}

t.test('listens at a Unix socket that only its owner and group may use', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'gateway.sock')
  const { running } = await gatewayFor(t, { HOST: `unix:${path}` })

  t.equal(running.address, `unix:${path}`)
  t.equal(statSync(path).mode & 0o777, 0o660)
  t.equal((await rawRequest({ path }, get('/WhoAmI', 'Host: whatever.example'))).status, 200)
  t.equal((await rawRequest({ path }, 'GET /WhoAmI HTTP/1.0\r\n\r\n')).status, 200)
  t.equal((await rawRequest({ path }, 'GET /WhoAmI HTTP/1.0\r\nOrigin: http://\r\n\r\n')).status, 403)
})

t.test('replaces a socket that a gateway left behind', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'gateway.sock')
  const killed = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', killed])
  t.ok(existsSync(path))
  await gatewayFor(t, { HOST: `unix:${path}` })

  t.equal((await rawRequest({ path }, get('/WhoAmI'))).status, 200)
})

t.test('does not replace a socket that another process listens at', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'gateway.sock')
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(path, resolve))
  t.teardown(() => other.close())

  await t.rejects(listen(createHttpServer(), { host: `unix:${path}`, port: 0 }), /already in use/)
  t.ok(existsSync(path))
})

t.test('does not take the socket of somebody who is too busy to accept connections', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'gateway.sock')
  const busy =
    `require('net').createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => {` +
    " require('fs').writeSync(1, 'listening'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) })"
  const other = spawn(process.execPath, ['-e', busy])
  t.teardown(() => other.kill('SIGKILL'))
  await once(other.stdout, 'data')
  // The system keeps one connection for it beyond its backlog, and refuses the next.
  const refused = await new Promise<NodeJS.ErrnoException>((resolve) => {
    for (let count = 0; count < 3; count++) {
      const socket = connect(path).on('error', resolve)
      t.teardown(() => socket.destroy())
    }
  })

  t.equal(refused.code, 'EAGAIN')
  await t.rejects(listen(createHttpServer(), { host: `unix:${path}`, port: 0 }), /already in use/)
  t.ok(existsSync(path))
})

t.test(
  'a burst of callers waits to be accepted, and is not dropped',
  {
    skip: longestBacklog() >= 1024 ? false : 'this system has no longer backlog, or does not count what it drops',
  },
  async (t) => {
    const server = createHttpServer()
    t.teardown(() => server.close())
    const { port } = new URL(await listen(server, { host: '127.0.0.1', port: 0 }))
    const before = droppedConnections()

    // All of them call before the event loop can accept one.
    const callers = Array.from({ length: 800 }, () => connect(Number(port), '127.0.0.1'))
    await Promise.all(callers.map((caller) => once(caller, 'connect')))
    for (const caller of callers) caller.destroy()

    t.ok(droppedConnections() - before < 100, 'a backlog of 511 drops 288')
  },
)

t.test('an error that is not about the address is thrown as it is', async (t) => {
  const server = createHttpServer()
  t.teardown(() => server.close())
  await listen(server, { host: '127.0.0.1', port: 0 })

  await t.rejects(listen(server, { host: '127.0.0.1', port: 0 }), { code: 'ERR_SERVER_ALREADY_LISTEN' })
})

t.test('an address of IPv6 is in brackets', async (t) => {
  t.equal(originOf({ address: '::1', family: 'IPv6', port: 8080 }, 'http'), 'http://[::1]:8080')
  t.equal(originOf({ address: '127.0.0.1', family: 'IPv4', port: 8443 }, 'https'), 'https://127.0.0.1:8443')
})

t.test('a socket that cannot be created is explained without a port', async (t) => {
  const file = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'file')
  writeFileSync(file, 'x')
  for (const path of [file, `${file}/s`, '/nowhere/s']) {
    const fault = await listen(createHttpServer(), { host: `unix:${path}`, port: 0 }).catch(
      (error: Error) => error.message,
    )
    t.match(fault, `unix:${path} `)
    t.match(fault, /HOST/)
    t.notMatch(fault, /PORT/)
  }
})

t.test('checks an address without occupying its port', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise<void>((resolve) => other.once('listening', resolve))
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo

  t.equal(await listenFault({ host: '127.0.0.1', port }), undefined, 'the listener there may be the gateway itself')
  t.equal(await listenFault({ host: '127.0.0.1', port: 0 }), undefined)
  t.match(
    await listenFault({ host: '192.0.2.1', port: 8080 }),
    /^192\.0\.2\.1, port 8080, is not an address of this machine/,
  )
  t.equal(await listenFault({ host: 'unix:/nowhere/s', port: 8080 }), undefined)
})

t.test('serves HTTPS with a certificate, and https links', async (t) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'gateway' }], {
    keyType: 'ec',
    algorithm: 'sha256',
  })
  const folder = t.testdir({ 'c.pem': cert, 'k.pem': key })
  const { port, address } = await gatewayForRawDynamics(t, (settings) => ({
    ...settings,
    tls: { certificate: `${folder}/c.pem`, key: `${folder}/k.pem`, clientCa: undefined },
  }))

  t.equal(address, `https://127.0.0.1:${port}`)
  const status = await new Promise((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port,
        path: '/accounts',
        ca: cert,
        checkServerIdentity: () => undefined,
        headers: { origin: `https://127.0.0.1:${port}` },
      },
      (response) => {
        response.resume()
        resolve(response.statusCode)
      },
    )
      .on('error', reject)
      .end()
  })
  t.equal(status, 200)
})
