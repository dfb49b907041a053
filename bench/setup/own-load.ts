/**
 * A small loader. It sends requests at a fixed rate, each measured from the time at which it was due, so that a stall
 * counts for all requests that waited; or one after the other on each connection. `node own-load.js JSON` prints JSON.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as secureConnect } from 'node:tls'

import type { Load, Outcome } from './load.ts'

const {
  port,
  path,
  connections,
  seconds,
  body,
  users = 1,
  rate,
  expect,
  tls,
  headers,
} = JSON.parse(process.argv[2]!) as Load & { readonly headers: Readonly<Record<string, string>> }

const requests = Array.from({ length: users }, (_, index) => {
  const fields = {
    ...headers,
    'x-user-email': `user${index + 1}@contoso.com`,
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
  }
  const lines = Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
  return Buffer.from(
    `${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1\r\n` +
      `host: 127.0.0.1:${port}\r\n${lines}\r\n${body ?? ''}`,
  )
})
const times: number[] = []
/** The times at which each slow request was due and answered. */
const slow: { readonly from: number; readonly to: number }[] = []
/** The pauses of this loader itself, by garbage collection or by the machine. */
const pauses: { readonly from: number; readonly to: number }[] = []
const PAUSE = 5
let wrong = 0
let turn = 0
/** The times at which requests that wait for a connection were due. */
const due: number[] = []
const idle: Connection[] = []
const started = performance.now()
const end = started + seconds * 1000

for (let count = 0; count < connections; count++) open()

if (rate !== undefined) {
  let sent = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    if (now - last > PAUSE) pauses.push({ from: last, to: now })
    last = now
    for (; sent < ((Math.min(now, end) - started) * rate) / 1000; sent++) {
      due.push(started + (sent * 1000) / rate)
      idle.pop()?.next()
    }
    if (now >= end) clearInterval(timer)
  }, 1)
}
setTimeout(finish, seconds * 1000 + 500)

interface Connection {
  readonly next: () => void
}

function open(): void {
  const socket: Socket =
    tls === true ? secureConnect({ port, host: '127.0.0.1', rejectUnauthorized: false }) : connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  let began = 0
  let received = ''
  const connection: Connection = { next }
  socket.on(tls === true ? 'secureConnect' : 'connect', next)
  socket.on('error', () => {
    wrong += 1
  })
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    if (!isWhole(received)) return
    const now = performance.now()
    times.push(now - began)
    if (now - began > PAUSE) slow.push({ from: began, to: now })
    if (!received.startsWith('HTTP/1.1 2') || (expect !== undefined && !received.includes(expect))) wrong += 1
    received = ''
    next()
  })

  function next(): void {
    if (rate === undefined && performance.now() > end) return
    const moment = rate === undefined ? performance.now() : due.shift()
    if (moment === undefined) return void idle.push(connection)
    began = moment
    socket.write(requests[turn++ % requests.length]!)
  }
}

function isWhole(received: string): boolean {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd === -1) return false
  const length = /\r\ncontent-length: (\d+)/i.exec(received)?.[1]
  return length === undefined
    ? received.startsWith('HTTP/1.1 204') || received.endsWith('0\r\n\r\n')
    : received.length >= headEnd + 4 + Number(length)
}

/** The longest one, in milliseconds. Shorter ones than `PAUSE` are not recorded. */
function longest(spans: readonly { readonly from: number; readonly to: number }[]): number {
  return spans.reduce((most, { from, to }) => Math.max(most, to - from), 0)
}

function finish(): void {
  times.sort((one, other) => one - other)
  const at = (share: number): number => times[Math.floor((times.length - 1) * share)] ?? 0
  // A request that was never answered is an error, too.
  const outcome: Outcome = {
    requests: times.length,
    perSecond: times.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    longest: at(1),
    wrong: wrong + due.length,
    longestOnTime: longest(slow.filter(({ from, to }) => !pauses.some((pause) => pause.from < to && from < pause.to))),
    ownPause: longest(pauses),
  }
  process.stdout.write(JSON.stringify(outcome))
  process.exit()
}
