import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createSecureServer } from 'node:tls'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { healthcheck } from '../../src/commands/healthcheck.ts'
import { quickHealthcheck } from '../../src/commands/quick-healthcheck.ts'

const READY = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready'
const TLS = { certificate: 'own.pem', key: 'own.key' } as unknown as Parameters<typeof healthcheck>[0]['tls']

t.test('succeeds when the gateway is ready', async (t) => {
  const asked: string[] = []
  const port = await listening(
    t,
    createServer((socket) => {
      socket.once('data', (chunk) => asked.push(String(chunk)) && socket.end(READY))
    }),
  )

  t.equal(await healthcheck({ host: '127.0.0.1', port, tls: undefined }), 0)
  t.equal(await healthcheck({ host: '0.0.0.0', port, tls: undefined }), 0, 'an address that stands for all interfaces')
  t.equal(await healthcheck({ host: '::', port, tls: undefined }), 1, 'nobody listens at ::1')
  t.match(asked, [/^GET \/-\/readyz HTTP\/1\.1\r\nHost: localhost\r\n/])
})

t.test('fails when the gateway is not ready, closes the connection or speaks another protocol', async (t) => {
  for (const [answer, reason] of [
    ['HTTP/1.1 503 Service Unavailable\r\n\r\n', 'is not ready: it answered "HTTP/1.1 503 Service Unavailable"'],
    ['', 'did not answer'],
    ['HTTP/1.1 200', 'is not ready: it answered "HTTP/1.1 200"'],
    ['SSH-2.0-OpenSSH\r\n', 'is not ready: it answered "SSH-2.0-OpenSSH"'],
  ] as const) {
    const port = await listening(
      t,
      createServer((socket) => socket.once('data', () => socket.end(answer))),
    )
    const printed: string[] = []
    const stderr = { write: (text: string) => printed.push(text) }
    t.equal(await healthcheck({ host: '127.0.0.1', port, tls: undefined }, stderr), 1, answer)
    t.strictSame(printed, [`The gateway at 127.0.0.1, port ${port}, ${reason}.\n`])
  }
})

t.test('reads a response in several chunks to the end of its first line', async (t) => {
  const port = await listening(
    t,
    createServer((socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 ', () => setImmediate(() => socket.write('200 OK\r\n')))
      }),
    ),
  )
  t.equal(await healthcheck({ host: '127.0.0.1', port, tls: undefined }), 0)
})

t.test('fails after two seconds without a response', async (t) => {
  const port = await listening(t, createServer())
  t.equal(await healthcheck({ host: '127.0.0.1', port, tls: undefined }), 1)
})

t.test('fails when nothing listens at the port', async (t) => {
  const server = createServer()
  const port = await listening(t, server)
  server.close()
  await once(server, 'close')
  const printed: string[] = []
  const stderr = { write: (text: string) => printed.push(text) }
  t.equal(await healthcheck({ host: '127.0.0.1', port, tls: undefined }, stderr), 1)
  t.match(printed, [/ cannot be reached: connect ECONNREFUSED /])
  t.equal(await healthcheck({ host: 'unix:/tmp/nothing.sock', port, tls: undefined }, stderr), 1)
  t.match(printed[1], /^The gateway at unix:\/tmp\/nothing\.sock cannot be reached: /)
})

t.test('works over a Unix socket and over TLS', async (t) => {
  // Not in t.testdir(): the path of a socket is limited to 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'gateway.sock')
  const answering = (socket: Socket): unknown => socket.once('data', () => socket.end(READY))
  await listening(t, createServer(answering), path)
  t.equal(await healthcheck({ host: `unix:${path}`, port: 0, tls: undefined }), 0)

  const { cert, private: key } = await generate([{ name: 'commonName', value: 'gateway.contoso.com' }])
  const port = await listening(t, createSecureServer({ cert, key }, answering))
  t.equal(await healthcheck({ host: '127.0.0.1', port, tls: TLS }), 0, 'the names of the certificate are not checked')
})

t.test(
  "reads plain variables without loading the gateway's code, and leaves other sources to the gateway",
  async (t) => {
    const port = await listening(
      t,
      createServer((socket) => socket.once('data', () => socket.end(READY))),
    )
    const folder = t.testdir({ dotEnv: { '.env': `PORT=${port}` }, none: {} })
    const quick = (
      env: NodeJS.Dict<string>,
      words = ['healthcheck'],
      at = join(folder, 'none'),
    ): ReturnType<typeof quickHealthcheck> => quickHealthcheck(words, env, at)

    t.equal(await quick({ PORT: String(port) }), 0)
    t.equal(await quick({ PORT: String(port), HOST: '0.0.0.0', GATEWAY_CONFIG: '' }), 0)
    t.equal(quick({ PORT: String(port) }, ['healthcheck', '--config', 'gateway.yaml']), undefined)
    t.equal(quick({ PORT: String(port) }, ['serve']), undefined)
    t.equal(quick({ PORT: String(port), GATEWAY_CONFIG: 'gateway.yaml' }), undefined)
    t.equal(quick({ PORT: '0x50' }), undefined, 'the gateway reports what is wrong with it')
    t.equal(quick({ PORT: '99999' }), undefined)
    t.equal(await quick({ HOST: '127.0.0.9' }), 1, 'nobody listens at port 8080 there')
    t.equal(quick({ HOST: '"127.0.0.1"' }), undefined, 'quotes that Docker passes on')
    t.equal(quick({}, ['healthcheck'], join(folder, 'dotEnv')), undefined, '.env may set another value')
  },
)

async function listening(t: Test, server: Server, path?: string): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)))
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(path === undefined ? server.listen(0, '127.0.0.1') : server.listen(path), 'listening')
  return path === undefined ? (server.address() as AddressInfo).port : 0
}
