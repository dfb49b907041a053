import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

import { startEmulator } from '../emulator/emulator.ts'
import { pageOf } from './setup/pages.ts'
import { cpuOf, residentOf } from './setup/process.ts'

/**
 * Memory and CPU of the gateway while it streams a million rows of 200 pages: `node dist/bench/all-pages.js`. Pages
 * come uncompressed and in gzip, to a fast reader and to one that pauses. The gateway and this process
 * should have a core each.
 */

const PAGES = Number(process.argv[2] ?? 200)
const ROWS_PER_PAGE = 5000
const API_ROOT = '/api/data/v9.2'

const emulator = await startEmulator()
const service = createServer((request, response) => {
  const { searchParams } = new URL(request.url!, 'http://localhost')
  const number = Number(searchParams.get('$skiptoken') ?? 1)
  const isCoded = /gzip/.test(String(request.headers['accept-encoding']))
  // Pages differ only in their links. A gzip page has two members: the rows, and the link.
  const link = Buffer.from(
    number < PAGES ? `,"@odata.nextLink":"${origin}${API_ROOT}/accounts?$skiptoken=${number + 1}"}` : '}',
  )
  response.writeHead(200, {
    'content-type': 'application/json; odata.metadata=minimal',
    ...(isCoded ? { 'content-encoding': 'gzip' } : {}),
  })
  response.write(isCoded ? coded : rows)
  response.end(isCoded ? gzipSync(link) : link)
})
service.listen(0, '127.0.0.1')
await once(service, 'listening')
const origin = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
const rows = Buffer.from(pageOfRows())
const coded = gzipSync(rows, { level: 4 })

const gateway = fork(new URL('./soak-gateway.js', import.meta.url), {
  env: {
    ...process.env,
    DYNAMICS_URL: origin,
    DYNAMICS_SCOPE: `${emulator.origin}/.default`,
    EMULATOR: emulator.origin,
    PORT: '0',
    AZURE_TENANT_ID: emulator.tenantId,
    AZURE_CLIENT_ID: emulator.clientId,
    AZURE_CLIENT_SECRET: emulator.clientSecret,
  },
})
const [url] = (await once(gateway, 'message')) as [string]
const pid = gateway.pid!
console.log(`${PAGES} pages of ${ROWS_PER_PAGE} rows, ${Math.round(rows.length / 1024)} KiB each`)

// One ordinary page first, so that the usual memory of a gateway is allocated.
for (let count = 0; count < 20; count++) await read('application/json', 'identity', 0)
const before = residentOf(pid)
for (const [coding, pauseMs] of [
  ['identity', 0],
  ['gzip', 0],
  ['identity', 5],
] as const) {
  const cpu = cpuOf(pid)
  const began = performance.now()
  let most = 0
  const sampler = setInterval(() => (most = Math.max(most, residentOf(pid))), 20)
  const { lines, bytes } = await read('application/x-ndjson', coding, pauseMs)
  clearInterval(sampler)
  const seconds = (performance.now() - began) / 1000
  console.log(
    `${coding.padEnd(8)} reader ${pauseMs === 0 ? 'takes all' : 'pauses   '} ` +
      `${lines} rows, ${(bytes / seconds / 1024 / 1024).toFixed(0)} MiB/s, ` +
      `${((cpuOf(pid) - cpu) / lines).toFixed(2)} µs of CPU a row, ` +
      `${before.toFixed(0)} MiB before, +${(most - before).toFixed(0)} MiB at most`,
  )
}
gateway.disconnect()
service.close()
await emulator.close()
process.exit()

/** Reads a response with a pause after each chunk. Returns its length. */
function read(accept: string, coding: string, pauseMs: number): Promise<{ lines: number; bytes: number }> {
  return new Promise((resolve, reject) => {
    const headers = { accept, 'accept-encoding': coding }
    get(`${url}/accounts`, { headers, agent: false }, (response) => {
      let lines = 0
      let bytes = 0
      response
        .on('data', (chunk: Buffer) => {
          bytes += chunk.length
          for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++
          if (pauseMs === 0 || bytes % 7 !== 0) return
          response.pause()
          setTimeout(() => response.resume(), pauseMs)
        })
        .on('end', () => resolve({ lines, bytes }))
        .on('error', reject)
    }).on('error', reject)
  })
}

/** The beginning of a page, up to the end of its rows. */
function pageOfRows(): string {
  const page = JSON.parse(pageOf(origin + API_ROOT, 'accounts', 5_000_000)) as { value: object[] }
  const value = Array.from({ length: ROWS_PER_PAGE }, (_, index) => page.value[index % page.value.length])
  return JSON.stringify({ '@odata.context': `${origin}${API_ROOT}/$metadata#accounts`, value }).slice(0, -1)
}
