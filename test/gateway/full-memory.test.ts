import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

import { generate } from 'selfsigned'
import t from 'tap'

import { gatewayWithFile } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

// The gateway refuses a body while the caller still sends it. The caller must get the response, not a reset.

/** The memory for the bodies of all requests. */
const MEMORY_BYTES = 64 * 1024 * 1024
const UPLOADS = 8
const PIECE = Buffer.alloc(64 * 1024, ' ')

const certificate = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' })

for (const scheme of ['http', 'https']) {
  t.test(
    `${scheme}: when the memory for bodies is full, a caller that is still uploading can read the 503`,
    async (t) => {
      const files = t.testdir({ 'c.pem': certificate.cert, 'k.pem': certificate.private })
      await t.test('gateway', async (t) => {
        const { url, emulator } = await gatewayWithFile(t, (credential) => ({
          ...(scheme === 'https' ? { tls: { certificate: `${files}/c.pem`, key: `${files}/k.pem` } } : {}),
          targets: [{ url: 'https://contoso.crm4.dynamics.com', credential, keepBody: '64MiB' }],
        }))
        const open = async (): Promise<Socket> => {
          const port = Number(new URL(url).port)
          const socket =
            scheme === 'https'
              ? connectTls({
                  port,
                  host: '127.0.0.1',
                  ca: certificate.cert,
                  servername: 'localhost',
                  checkServerIdentity: () => undefined,
                })
              : connectPlain(port, '127.0.0.1')
          t.teardown(() => socket.destroy())
          await once(socket, scheme === 'https' ? 'secureConnect' : 'connect')
          return socket
        }
        const head = (...lines: readonly string[]): string =>
          ['POST /accounts HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', ...lines, '', ''].join(
            '\r\n',
          )

        // Each upload lacks its last byte.
        const size = MEMORY_BYTES / UPLOADS
        const uploads = await Promise.all(Array.from({ length: UPLOADS }, open))
        for (const socket of uploads) {
          socket.write(head(`Content-Length: ${size + 1}`))
          for (let sent = 0; sent < size; sent += PIECE.length) socket.write(PIECE)
        }
        await Promise.all(uploads.map((socket) => until(() => socket.writableLength === 0)))

        const caller = conversation(await open())
        let refused = ''
        // When the first pieces arrive, bytes in socket buffers may not have been counted yet.
        await until(async () => {
          caller.socket.write(head('Transfer-Encoding: chunked', `Idempotency-Key: "${Math.random()}"`))
          // The caller still sends when the response comes, and one megabyte more after it.
          const response = caller.next()
          let isAnswered = false
          const answered = (): boolean => (isAnswered = true)
          void response.then(answered, answered)
          for (let extra = 0; extra < 16; isAnswered ? extra++ : 0) {
            caller.socket.write(`${PIECE.length.toString(16)}\r\n`)
            caller.socket.write(PIECE)
            if (!caller.socket.write('\r\n'))
              await Promise.race([once(caller.socket, 'drain'), once(caller.socket, 'close')])
            await new Promise((resolve) => setImmediate(resolve))
          }
          caller.socket.write('0\r\n\r\n')
          refused = await response
          return refused.startsWith('HTTP/1.1 503 ')
        })
        t.match(refused, /\r\nretry-after: 1\r\n/i)
        t.match(refused, /"code":"GATEWAY_OVERLOADED"/)

        for (const socket of uploads) socket.destroy()
        const name = 'after the others have left'
        await until(async () => {
          const body = JSON.stringify({ name })
          caller.socket.write(head(`Content-Length: ${body.length}`, 'Idempotency-Key: "one"') + body)
          return (await caller.next()).startsWith('HTTP/1.1 204 ')
        })
        t.equal(emulator.rows('accounts').filter((row) => row['name'] === name).length, 1, 'on the same connection')
        t.same(caller.errors, [], 'it was never reset')
      })
    },
  )
}

/** Responses on one connection, one after the other. */
function conversation(socket: Socket): {
  readonly socket: Socket
  readonly next: () => Promise<string>
  readonly errors: readonly unknown[]
} {
  let received = ''
  let wake = (): void => undefined
  const errors: unknown[] = []
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1')
    wake()
  })
  socket.on('error', (error) => errors.push(error))
  socket.on('close', () => {
    errors.push('closed')
    wake()
  })
  return {
    socket,
    errors,
    async next() {
      for (;;) {
        const end = received.indexOf('\r\n\r\n') + 4
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(received.slice(0, end))?.[1] ?? 0)
        if (end > 3 && received.length >= end + length) {
          const response = received.slice(0, end + length)
          received = received.slice(end + length)
          return response
        }
        if (errors.length > 0) throw new Error(`no response, but ${String(errors[0])}`)
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}
