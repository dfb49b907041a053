import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createSocketServer, connect as connectSocket } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { readProxies } from '../../src/config/proxies.ts'
import { createAgent } from '../../src/outbound/agent.ts'
import { listenOnFreePort, outbound, pause, service, connectionFixture } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.setTimeout(600_000)

const YEAR = 365 * 86_400_000

/** A trusted authority, and HTTPS services with certificates that it issued. */
async function authority(t: Test): Promise<{ file: string; issue: (host: string, ends: number) => Promise<Issued> }> {
  const ca = await generate([{ name: 'commonName', value: 'Test authority' }], {
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  })
  const file = join(t.testdir(), 'ca.pem')
  writeFileSync(file, ca.cert)
  return { file, issue: (host, ends) => impostor(t, host, ends, { key: ca.private, cert: ca.cert }) }
}

interface Issued {
  readonly origin: string
  readonly heard: () => number
}

/** An HTTPS service with a certificate for `host`; `heard` are the decrypted bytes that it received. */
async function impostor(t: Test, host: string, ends: number, ca?: { key: string; cert: string }): Promise<Issued> {
  const pems = await generate([{ name: 'commonName', value: host }], {
    ...(ca === undefined ? {} : { ca }),
    notBeforeDate: new Date(Date.now() - 2 * YEAR),
    notAfterDate: new Date(Date.now() + ends),
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: host }] }],
  })
  let heard = 0
  const server = createHttpsServer({ key: pems.private, cert: pems.cert }, (_, response) => response.end())
  server.on('secureConnection', (socket) =>
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.length
    }),
  )
  return { origin: `https://localhost:${await listenOnFreePort(t, server)}`, heard: () => heard }
}

/** The outcome of a request to each of `origins`, from a separate process. */
async function reach(origins: readonly string[], environment: Record<string, string> = {}): Promise<string[]> {
  const script = new URL('../support/resolve-to.js', import.meta.url).pathname
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...origins], {
    env: { ...process.env, ...environment },
  })
  return stdout.trim().split('\n')
}

t.test('nothing is sent to a server with a self-signed or expired certificate, or one for another host', async (t) => {
  const { file, issue } = await authority(t)
  const good = await issue('localhost', YEAR)
  const expired = await issue('localhost', -YEAR)
  const otherHost = await issue('evil.example', YEAR)
  const selfSigned = await impostor(t, 'localhost', YEAR)

  const trusted = await reach(
    [good, expired, otherHost, selfSigned].map(({ origin }) => origin),
    {
      NODE_EXTRA_CA_CERTS: file,
    },
  )
  t.equal(trusted[0], '200', 'without trust in the authority, the other cases would prove nothing')
  t.equal(trusted[1], 'GATEWAY_DYNAMICS_UNREACHABLE CERT_HAS_EXPIRED')
  t.equal(trusted[2], 'GATEWAY_DYNAMICS_UNREACHABLE ERR_TLS_CERT_ALTNAME_INVALID')
  t.match(trusted[3], /^GATEWAY_DYNAMICS_UNREACHABLE (DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY)/)
  t.match(await reach([good.origin]), [/^GATEWAY_DYNAMICS_UNREACHABLE UNABLE_TO_/], 'the authority is not trusted')
  t.equal(expired.heard() + otherHost.heard() + selfSigned.heard(), 0)
})

t.test('a server with at most TLS 1.1 is refused', async (t) => {
  const pems = await generate([{ name: 'commonName', value: 'localhost' }])
  const server = createHttpsServer({
    key: pems.private,
    cert: pems.cert,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'ALL@SECLEVEL=0',
  })
  const origin = `https://localhost:${await listenOnFreePort(t, server)}`

  t.match(await reach([origin]), [/^GATEWAY_DYNAMICS_UNREACHABLE (ERR_SSL_|ECONNRESET)/])
})

t.test('uses the configured proxy, and forwards repeated headers', async (t) => {
  const seen: string[][] = []
  const local = await service(t, (request, response) => {
    seen.push(request.rawHeaders)
    response.end()
  })
  const tunnels: string[] = []
  const proxy = createSocketServer((socket) => {
    socket
      .on('error', () => {})
      .once('data', (head) => {
        const [, port] = /^CONNECT dynamics\.test:(\d+) /.exec(head.toString())!
        tunnels.push(head.toString())
        const beyond = connectSocket(Number(port), '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n')
          socket.pipe(beyond).pipe(socket)
        }).on('error', () => socket.destroy())
      })
  })
  const variables = { HTTP_PROXY: `http://ada:love%3Alace@127.0.0.1:${await listenOnFreePort(t, proxy)}` }
  const agent = createAgent({ connectTimeout: 5000, connections: 4, proxies: readProxies(variables, []) })
  t.teardown(() => agent.destroy())

  const { statusCode, body } = await agent.reads.request({
    origin: local.replace('127.0.0.1', 'dynamics.test'),
    path: '/',
    method: 'GET',
    headers: ['prefer', 'a', 'prefer', 'b'],
  })
  await body.dump()

  t.equal(statusCode, 200)
  t.match(tunnels, [/proxy-authorization: Basic YWRhOmxvdmU6bGFjZQ==/])
  t.same(
    seen[0]!.filter((_, index, all) => all[index - 1] === 'prefer'),
    ['a', 'b'],
  )
})

t.test('connections through the proxy are also opened ahead', async (t) => {
  const local = await service(t, (_, response) => response.end())
  let tunnels = 0
  const proxy = createSocketServer((socket) => {
    socket
      .on('error', () => {})
      .once('data', (head) => {
        tunnels++
        const beyond = connectSocket(Number(/:(\d+) /.exec(head.toString())![1]), '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n')
          socket.pipe(beyond).pipe(socket)
        }).on('error', () => socket.destroy())
      })
  })
  const proxies = readProxies({ HTTP_PROXY: `http://127.0.0.1:${await listenOnFreePort(t, proxy)}` }, [])
  const agent = createAgent({ connectTimeout: 5000, connections: 4, proxies })
  t.teardown(() => agent.destroy())
  const origin = local.replace('127.0.0.1', 'dynamics.test')

  agent.keepWarm!(origin)
  await until(() => tunnels === 1)
  await pause(50)
  const { body } = await agent.writes.request({ origin, path: '/', method: 'POST' })
  t.equal(agent.connectionUse!(), 'reserve')
  await body.dump()
  await until(() => tunnels === 2)
})

t.test('verifies the certificate behind the proxy, which sees only the host name', async (t) => {
  const { file, issue } = await authority(t)
  const good = await issue('dynamics.test', YEAR)
  const otherHost = await issue('evil.example', YEAR)
  let seen = ''
  const proxy = createSocketServer((socket) => {
    socket
      .on('error', () => {})
      .once('data', (head) => {
        seen += head.toString()
        const beyond = connectSocket(Number(/:(\d+) /.exec(head.toString())![1]), '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n')
          socket
            .on('data', (bytes) => (seen += bytes.toString('latin1')))
            .pipe(beyond)
            .pipe(socket)
        }).on('error', () => socket.destroy())
      })
  })
  const environment = { NODE_EXTRA_CA_CERTS: file, HTTPS_PROXY: `http://127.0.0.1:${await listenOnFreePort(t, proxy)}` }

  t.same(
    await reach(
      [good, otherHost].map(({ origin }) => origin.replace('localhost', 'dynamics.test')),
      environment,
    ),
    ['200', 'GATEWAY_DYNAMICS_UNREACHABLE ERR_TLS_CERT_ALTNAME_INVALID'],
  )
  t.match(seen, /^CONNECT dynamics\.test:\d+ HTTP\/1.1\r\n/)
  t.notMatch(seen, /Bearer/)
  t.equal(otherHost.heard(), 0)
})

t.test('a proxy that disconnects or refuses is an immediate failure', async (t) => {
  for (const [answer, code] of [
    [(socket) => socket.end(), 'PROXY_UND_ERR_SOCKET'],
    [(socket) => socket.resetAndDestroy(), 'PROXY_ECONNRESET'],
    [(socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), 'PROXY_BROKE_OFF'],
    [(socket) => socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n'), 'PROXY_403'],
  ] as readonly (readonly [answer: (socket: Socket) => unknown, code: string])[]) {
    let connections = 0
    const proxy = createSocketServer((socket) => {
      connections++
      socket.on('error', () => {}).once('data', () => answer(socket))
    })
    const proxies = readProxies({ https_proxy: `127.0.0.1:${await listenOnFreePort(t, proxy)}` }, [])
    const agent = createAgent({ connectTimeout: 5000, connections: 4, proxies })
    await t.rejects(agent.writes.request({ origin: 'https://contoso.crm4.dynamics.com', path: '/', method: 'GET' }), {
      message: /proxy/,
      code,
    })
    await agent.destroy()
    t.equal(connections, 1, code)
  }
})

t.test('a reset that arrives with the last bytes does not complete a response without a length', async (t) => {
  // A separate process, which responds and resets while this one is busy.
  const dynamics = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `
    import { createServer } from 'node:net'
    const server = createServer((socket) => socket.on('error', () => {}).once('data', () => setTimeout(() => {
      socket.write('HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n\\r\\n{"value":[')
      setTimeout(() => socket.resetAndDestroy(), 10)
    }, 20)))
    server.listen(0, '127.0.0.1', () => process.stdout.write(String(server.address().port)))
  `,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  t.teardown(() => dynamics.kill())
  const [port] = (await once(dynamics.stdout, 'data')) as [Buffer]
  const { send } = connectionFixture(t, `http://127.0.0.1:${String(port)}`)

  for (let count = 0; count < 5; count++) {
    const answering = send(outbound())
    await pause(8)
    for (const end = performance.now() + 60; performance.now() < end;);
    await t.rejects(answering.then(({ body }) => body.bytes(1000)))
  }
})
