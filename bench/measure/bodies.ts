import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'

import { ports, root } from '../setup/addresses.ts'
import { ask } from '../setup/ask.ts'
import { sleep } from '../setup/machine.ts'
import { headers, startPeer } from '../setup/peers.ts'
import type { Peer } from '../setup/peers.ts'
import { cpuOf, residentOf } from '../setup/process.ts'
import { middle } from '../setup/rounds.ts'
import { printTable } from '../setup/table.ts'

const SIZE = 100 * 1024 * 1024
const CHUNK = Buffer.alloc(64 * 1024)

/** One body of 100 MiB: seconds, and how far the resident set rose above the idle one. */
interface BodyResult {
  readonly seconds: number
  readonly cpu: number
  readonly rise: number
}

const ways = { download: download(undefined), 'download, slow reader': download(2), upload: upload } as const

/** A download, a slow download, and an upload, through each peer. */
export async function bodies(peers: readonly Peer[], rounds: number): Promise<Record<string, readonly BodyResult[]>> {
  const results: Record<string, BodyResult[]> = {}
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers) {
      for (const way of Object.keys(ways) as (keyof typeof ways)[]) {
        ;(results[`${peer.name}: ${way}`] ??= []).push(await pass(peer, ways[way]))
      }
    }
  }
  printTable(
    '100 MiB',
    ['', 'seconds', 'CPU ms', 'RSS + MiB'],
    Object.entries(results).map(([name, own]) => [
      name,
      middle(own.map(({ seconds }) => seconds)),
      middle(own.map(({ cpu }) => cpu / 1000)),
      middle(own.map(({ rise }) => rise)),
    ]),
  )
  return results
}

async function pass({ name, command }: Peer, way: () => Promise<void>): Promise<BodyResult> {
  const running = startPeer(name, command)
  try {
    await ask(ports.proxy, `${root}/accounts`, headers, { retryForMs: 10_000 })
    await sleep(300)
    const idle = residentOf(running.pid)
    const [began, cpu] = [performance.now(), cpuOf(running.pid)]
    let highest = idle
    const watch = setInterval(() => {
      highest = Math.max(highest, residentOf(running.pid))
    }, 20)
    await way()
    clearInterval(watch)
    return { seconds: (performance.now() - began) / 1000, cpu: cpuOf(running.pid) - cpu, rise: highest - idle }
  } finally {
    await running.stop()
  }
}

/** @param pace the seconds that the download takes; left out: as fast as possible */
function download(pace: number | undefined): () => Promise<void> {
  return async () => {
    const response = await send('GET', 'large')
    const began = performance.now()
    let received = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      received += chunk.length
      const early = pace === undefined ? 0 : began + (pace * 1000 * received) / SIZE - performance.now()
      if (early > 1) await sleep(early)
    }
    if (received !== SIZE) throw new Error(`${received} bytes of ${SIZE} arrived`)
  }
}

async function upload(): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of (await send('PUT', 'uploads')) as AsyncIterable<Buffer>) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  if (text !== JSON.stringify({ received: SIZE })) throw new Error(`the upload was answered ${text}`)
}

function send(method: 'GET' | 'PUT', path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const fields =
      method === 'GET' ? headers : { ...headers, 'content-type': 'application/octet-stream', 'content-length': SIZE }
    const sending = request(
      { host: '127.0.0.1', port: ports.proxy, path: `${root}/${path}`, method, agent: false, headers: fields },
      resolve,
    ).on('error', reject)
    if (method === 'GET') {
      sending.end()
      return
    }
    let left = SIZE / CHUNK.length
    const more = (): void => {
      while (left > 0) {
        left -= 1
        if (!sending.write(CHUNK)) return
      }
      sending.end()
    }
    sending.on('drain', () => {
      if (left >= 0 && !sending.writableEnded) more()
    })
    more()
  })
}
