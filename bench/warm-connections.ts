/**
 * The cost of rare calls: one per second, per ten seconds and per minute, over TLS and 20 ms from
 * Dynamics. `node dist/bench/warm-connections.js` takes five minutes; `-- 20` stops after about 20 seconds.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { connect, createServer as createSocketServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { generate } from 'selfsigned'

import { createAgent } from '../src/outbound/agent.ts'
import { printTable } from './setup/table.ts'

const ONE_WAY_MS = 10
/** As long as IIS keeps idle connections. */
const SERVER_KEEP_ALIVE_MS = 120_000
const INTERVALS_SECONDS = [1, 10, 60]

const [limit = '290'] = process.argv.slice(2)
const farPort = Number(process.env['FAR_PORT'] ?? 0)

// Node reads trusted authorities at start, so a separate process makes the calls.
if (farPort === 0) await startFarEnd()

console.log(`Dynamics is ${2 * ONE_WAY_MS} ms away and keeps idle connections for ${SERVER_KEEP_ALIVE_MS / 1000} s.`)
const rows = await Promise.all(
  INTERVALS_SECONDS.flatMap((seconds) => [rhythm(seconds, 'GET'), rhythm(seconds, 'POST'), rhythm(seconds, 'mixed')]),
)
printTable(
  'One call, in ms; how many had to wait for a new connection; and all connections that were opened',
  ['', 'calls', 'first', 'second', 'median of the rest', 'worst of the rest', 'on new ones', 'opened'],
  rows,
)
process.exit()

/** Starts the server in this process, and the calls in another one. Ends when that one ends. */
async function startFarEnd(): Promise<never> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  })
  const file = join(mkdtempSync(join(tmpdir(), 'warm-')), 'certificate.pem')
  writeFileSync(file, cert)
  // With `Connection` set, Node does not announce how long it keeps connections; neither does Dynamics.
  const server = createServer({ key, cert, keepAliveTimeout: SERVER_KEEP_ALIVE_MS }, (request, response) =>
    request.resume().on('end', () => response.writeHead(204, { connection: 'keep-alive' }).end()),
  )
  server.requestTimeout = server.headersTimeout = SERVER_KEEP_ALIVE_MS
  const port = String(await listen(server))
  const calls = spawn(process.execPath, [process.argv[1]!, limit], {
    stdio: 'inherit',
    env: { ...process.env, NODE_EXTRA_CA_CERTS: file, FAR_PORT: port },
  })
  const [status] = (await once(calls, 'exit')) as [number]
  process.exit(status)
}

/** Calls once every `seconds`, with its own agent and network link. */
async function rhythm(seconds: number, method: 'GET' | 'POST' | 'mixed'): Promise<(string | number)[]> {
  const line = await distantLine()
  const agent = createAgent({ connectTimeout: 10_000, connections: 16 })
  agent.keepWarm?.(line.origin)
  await sleep(500)
  const times: number[] = []
  let onNew = 0
  const calls = Math.max(3, Math.min(30, Math.floor(Number(limit) / seconds)))
  for (let call = 0; call < calls && call * seconds <= Number(limit); call++) {
    const began = performance.now()
    const isRead = method === 'GET' || (method === 'mixed' && call % 2 === 0)
    const { body } = await (isRead ? agent.reads : agent.writes).request({
      origin: line.origin,
      path: '/api/data/v9.2/tasks',
      method: isRead ? 'GET' : 'POST',
      ...(isRead ? {} : { body: '{}' }),
    })
    if (agent.connectionUse?.() === 'new') onNew++
    await body.dump()
    times.push(performance.now() - began)
    await sleep(1000 * seconds)
  }
  const [first = Number.NaN, second = Number.NaN, ...rest] = times
  rest.sort((one, other) => one - other)
  return [
    `${method}, 1 in ${seconds} s`,
    String(times.length),
    first,
    second,
    rest[Math.floor(rest.length / 2)] ?? Number.NaN,
    rest.at(-1) ?? Number.NaN,
    String(onNew),
    String(line.connections()),
  ]
}

/** A network link to the server with delays: one round trip to connect, half of one for each chunk. */
async function distantLine(): Promise<{ origin: string; connections: () => number }> {
  let connections = 0
  const server = createSocketServer({ pauseOnConnect: true, allowHalfOpen: true }, (near) => {
    connections++
    const far = connect({ port: farPort, host: 'localhost', allowHalfOpen: true })
    delay(far, near)
    setTimeout(() => delay(near, far), 2 * ONE_WAY_MS)
  })
  return { origin: `https://localhost:${await listen(server)}`, connections: () => connections }
}

function delay(from: Socket, to: Socket): void {
  from
    .setNoDelay(true)
    .on('data', (chunk) => void setTimeout(() => to.write(chunk), ONE_WAY_MS))
    .on('end', () => void setTimeout(() => to.end(), ONE_WAY_MS))
    .on('error', () => void setTimeout(() => to.destroy(), ONE_WAY_MS))
    .resume()
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, 'localhost', () => resolve((server.address() as AddressInfo).port))
  })
}
