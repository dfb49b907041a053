import { once } from 'node:events'
import { createServer } from 'node:tls'
import type { TLSSocket, TlsOptions } from 'node:tls'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { resumeSessions } from '../../src/outbound/tls-sessions.ts'
import { listenOnFreePort } from '../support/connection-fixture.ts'

/** Connects to a TLS service with `options`, as often as called; the service sends a byte to each connection. */
async function connecting(t: Test, options: TlsOptions): Promise<() => Promise<TLSSocket>> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  })
  const server = createServer({ ...options, cert, key }, (socket) => socket.on('error', () => {}).write('x'))
  const port = String(await listenOnFreePort(t, server))
  const connect = resumeSessions({ timeout: 5000, ca: cert })
  return () =>
    new Promise((resolve, reject) => {
      connect({ protocol: 'https:', hostname: 'localhost', host: `localhost:${port}`, port }, (error, socket) => {
        if (error !== null) return reject(error)
        t.teardown(() => socket.destroy())
        resolve(socket as TLSSocket)
      })
    })
}

/** Reads what the service sends; with TLS 1.3 that includes its sessions. */
async function heard(socket: TLSSocket): Promise<void> {
  const sessions = socket.getProtocol() === 'TLSv1.3' ? once(socket, 'session') : undefined
  await Promise.all([once(socket.resume(), 'data'), sessions])
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  t.test(`the last session is resumed: ${version}`, async (t) => {
    const connect = await connecting(t, { minVersion: version, maxVersion: version })
    const first = await connect()
    await heard(first)
    const second = await connect()

    t.equal(first.getProtocol(), version)
    t.notOk(first.isSessionReused())
    t.ok(second.isSessionReused())
    t.ok(second.authorized, 'the certificate was verified in the first handshake')
  })
}

t.test('a session that the service rejects costs only a full handshake', async (t) => {
  const connect = await connecting(t, { sessionTimeout: 1 })
  await heard(await connect())
  await new Promise((resolve) => {
    setTimeout(resolve, 2100)
  })
  const second = await connect()
  t.notOk(second.isSessionReused())
  t.ok(second.authorized)
})
