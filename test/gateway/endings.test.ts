import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { TLSSocket, createSecureContext } from 'node:tls'
import { gzipSync } from 'node:zlib'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { listenOnFreePort } from '../support/connection-fixture.ts'

t.setTimeout(600_000)

const FRAMINGS = ['length', 'chunked', 'none'] as const
const CODINGS = ['identity', 'gzip'] as const
const CONNECTIONS = ['close', 'keep-alive'] as const
/**
 * `close`: close_notify, and nothing is read any more; `half`: close_notify, and data is still read; `fin`: no
 * close_notify.
 */
const ENDINGS = ['close', 'half', 'fin', 'reset'] as const

/** An answer of Dynamics, and how its connection ends. */
interface Case {
  readonly framing: (typeof FRAMINGS)[number]
  readonly coding: (typeof CODINGS)[number]
  readonly connection: (typeof CONNECTIONS)[number]
  readonly ending: (typeof ENDINGS)[number]
  /** How many bytes of the response are sent. */
  readonly sent: number
  /** Milliseconds between the last byte and the end. */
  readonly later: number
  readonly body: Buffer
}

type Outcome = 'complete' | 'failed' | 'wrong' | 'timed out'

const SMALL = jsonOf(20)
/** More than all buffers of the gateway hold, also when compressed. */
const LARGE = jsonOf(200_000)
/** More than the kernel buffers for two connections. */
const HUGE = jsonOf(5_000_000)

for (const encrypted of [false, true]) {
  const transport = encrypted ? 'over TLS' : 'over plain HTTP'

  t.test(`a complete response arrives completely however its connection ends, ${transport}`, async (t) => {
    const fixture = await gatewayBefore(t, encrypted)
    const expected = ({ framing, ending, body }: Case): readonly Outcome[] => {
      if (framing === 'none' && (ending === 'reset' || (encrypted && ending === 'fin'))) return ['failed']
      // A reset discards what the kernel has not sent yet.
      return ending === 'reset' && body !== SMALL ? ['complete', 'failed'] : ['complete']
    }
    await fixture.check(t, 8, casesFor([SMALL, LARGE], [0, 30]), 0, expected)
    await fixture.check(t, 4, casesFor([HUGE], [0]), 200, expected)
    t.ok(fixture.alive())
  })

  t.test(`a truncated response never ends as if it were complete, ${transport}`, async (t) => {
    const fixture = await gatewayBefore(t, encrypted)
    // Over TLS each case costs a handshake.
    const small = casesFor([SMALL], [0]).filter(
      ({ ending, connection }) => ending !== 'half' && (!encrypted || connection === 'close'),
    )
    const cases = small.flatMap((one) => {
      // Such a response ends with its connection; only gzip has its own end.
      const all =
        one.framing === 'none' &&
        one.coding === 'identity' &&
        (!encrypted || one.ending !== 'fin') &&
        one.ending !== 'reset'
          ? headOf(one).length
          : one.sent
      return Array.from({ length: all }, (_, sent) => ({ ...one, sent }))
    })
    await fixture.check(t, 32, cases, 0, () => ['failed'])
    const large = casesFor([LARGE], [0]).filter(({ framing, coding }) => framing !== 'none' || coding === 'gzip')
    await fixture.check(
      t,
      4,
      large.map((one) => ({ ...one, sent: one.sent - 1 })),
      100,
      () => ['failed'],
    )
    t.ok(fixture.alive())
  })
}

function casesFor(bodies: readonly Buffer[], delays: readonly number[]): Case[] {
  return bodies.flatMap((body) =>
    delays.flatMap((later) =>
      FRAMINGS.flatMap((framing) =>
        CODINGS.flatMap((coding) =>
          CONNECTIONS.flatMap((connection) =>
            ENDINGS.map((ending) => {
              const one = { framing, coding, connection, ending, body, later, sent: 0 }
              return { ...one, sent: bytesOf(one).length }
            }),
          ),
        ),
      ),
    ),
  )
}

function jsonOf(size: number): Buffer {
  return Buffer.from(JSON.stringify({ value: randomBytes(size).toString('base64') }))
}

function headOf({ framing, coding, connection, body }: Case): string {
  return [
    'HTTP/1.1 200 OK',
    'Content-Type: application/json',
    `Connection: ${connection}`,
    ...(coding === 'gzip' ? ['Content-Encoding: gzip'] : []),
    ...(framing === 'length' ? [`Content-Length: ${encoded(coding, body).length}`] : []),
    ...(framing === 'chunked' ? ['Transfer-Encoding: chunked'] : []),
    '',
    '',
  ].join('\r\n')
}

function bytesOf(one: Case): Buffer {
  const body = encoded(one.coding, one.body)
  const size = Math.ceil(body.length / 3)
  const chunks = [body.subarray(0, size), body.subarray(size, 2 * size), body.subarray(2 * size)]
  return Buffer.concat([
    Buffer.from(headOf(one)),
    ...(one.framing !== 'chunked'
      ? [body]
      : [
          ...chunks.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
          Buffer.from('0\r\n\r\n'),
        ]),
  ])
}

const gzipped = new Map<Buffer, Buffer>()

function encoded(coding: Case['coding'], body: Buffer): Buffer {
  if (coding === 'identity') return body
  if (!gzipped.has(body)) gzipped.set(body, gzipSync(body, { level: 1 }))
  return gzipped.get(body)!
}

interface Fixture {
  /** Requests each of `cases`, some of them concurrently, and reads only after `stall` milliseconds. */
  readonly check: (
    t: Test,
    atOnce: number,
    cases: readonly Case[],
    stall: number,
    expected: (one: Case) => readonly Outcome[],
  ) => Promise<void>
  readonly alive: () => boolean
}

/** A gateway in its own process, with a Dynamics that sends the given bytes. */
async function gatewayBefore(t: Test, encrypted: boolean): Promise<Fixture> {
  const pems = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  })
  const authority = join(t.testdir(), 'ca.pem')
  writeFileSync(authority, pems.cert)
  const secureContext = createSecureContext({ key: pems.private, cert: pems.cert })
  const asked = new Map<string, Case>()
  const dynamics = createServer({ allowHalfOpen: true }, (tcpSocket) => {
    tcpSocket.on('error', () => undefined)
    const socket = encrypted ? new TLSSocket(tcpSocket, { isServer: true, secureContext }) : tcpSocket
    socket.on('error', () => undefined)
    let received = ''
    let answers = 0
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      const id = /^(?:GET|POST) \S*\?case=(\d+) [^]*?\r\n\r\n(?:$|\{\})/.exec(received)?.[1]
      if (id === undefined) return
      received = ''
      const number = ++answers
      // By then the connection may carry another response, which must not be ended.
      void answer(asked.get(id)!, socket, tcpSocket, () => number === answers)
    })
  })
  const origin = `${encrypted ? 'https://localhost' : 'http://127.0.0.1'}:${await listenOnFreePort(t, dynamics)}`
  const gateway = fork(new URL('../support/endings-gateway.js', import.meta.url), [origin], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: authority },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  t.teardown(async () => {
    gateway.disconnect()
    if (gateway.exitCode === null) await once(gateway, 'exit')
  })
  const address = String(((await once(gateway.stdout!, 'data')) as [Buffer])[0]).trim()
  let last = 0

  return {
    alive: () => gateway.exitCode === null,
    async check(t, atOnce, cases, stall, expected) {
      const wrong: string[] = []
      const left = cases.values()
      await Promise.all(
        Array.from({ length: atOnce }, async () => {
          for (const one of left) {
            const id = String(last++)
            asked.set(id, one)
            // A GET on a connection that was just closed is retried. A POST never is, so a truncated head causes no wait.
            const method = one.sent < bytesOf(one).length ? 'POST' : 'GET'
            const fate = await outcomeOf(method, `${address}/accounts?case=${id}`, one.body, stall)
            asked.delete(id)
            if (!expected(one).includes(fate))
              wrong.push(`${fate}: ${JSON.stringify({ ...one, body: one.body.length })}`)
          }
        }),
      )
      t.same(wrong.slice(0, 20), [], `${wrong.length} of ${cases.length}`)
    },
  }
}

async function answer(one: Case, socket: Socket, tcpSocket: Socket, isLast: () => boolean): Promise<void> {
  const bytes = bytesOf(one).subarray(0, one.sent)
  if (one.ending !== 'reset' && one.ending !== 'fin' && one.later === 0) {
    socket.end(bytes)
  } else {
    await new Promise((resolve) => {
      socket.write(bytes, resolve)
    })
    if (one.later > 0) await pause(one.later)
    if (!isLast()) return
    switch (one.ending) {
      case 'close':
      case 'half':
        socket.end()
        break
      case 'fin':
        tcpSocket.end()
        break
      case 'reset':
        tcpSocket.resetAndDestroy()
    }
  }
  if (one.ending === 'close') socket.pause()
}

/** The result of a request. */
function outcomeOf(method: string, url: string, expected: Buffer, stall: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const asking = request(url, { method, agent: false, headers: { 'content-type': 'application/json' } })
    const hung = setTimeout(() => {
      resolve('timed out')
      asking.destroy()
    }, 60_000)
    const settle = (fate: Outcome): void => {
      clearTimeout(hung)
      resolve(fate)
    }
    asking.on('error', () => settle('failed'))
    asking.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('error', () => settle('failed'))
      response.on('end', () => {
        const { statusCode, complete } = response
        settle(
          statusCode! >= 500 || !complete ? 'failed' : Buffer.concat(chunks).equals(expected) ? 'complete' : 'wrong',
        )
      })
      setTimeout(() => response.on('data', (chunk: Buffer) => chunks.push(chunk)), stall)
    })
    asking.end(method === 'POST' ? '{}' : undefined)
  })
}
