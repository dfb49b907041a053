import { get } from 'node:http'

import { ports, root } from '../setup/addresses.ts'
import { gateway, headers, startPeer } from '../setup/peers.ts'
import { middle } from '../setup/rounds.ts'
import { printTable } from '../setup/table.ts'

/** Milliseconds until the first byte of a response's body, and its length. */
interface FirstByte {
  readonly ms: number
  readonly bytes: number
}

/** How long a `$metadata` of 8 MB gzip takes to begin: from Dynamics, and from memory. */
export async function metadata(times: number): Promise<readonly FirstByte[]> {
  const running = startPeer('gateway', gateway())
  try {
    const first = await patient(firstByte)
    const others: FirstByte[] = []
    for (let count = 0; count < times; count++) others.push(await firstByte())
    const sorted = others.map(({ ms }) => ms).sort((one, other) => one - other)
    printTable(
      '$metadata, 8 MB gzip: ms to the first byte of its body, the client included',
      ['', 'first', 'median', 'slowest', 'MB'],
      [['gateway', first.ms, middle(sorted), sorted.at(-1)!, first.bytes / 1e6]],
    )
    return [first, ...others]
  } finally {
    await running.stop()
  }
}

async function patient<T>(attempt: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + 10_000; ;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > end) throw error
    }
  }
}

function firstByte(): Promise<FirstByte> {
  const began = performance.now()
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: ports.proxy, path: `${root}/$metadata`, headers, agent: false }, (response) => {
      let ms: number | undefined
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        ms ??= performance.now() - began
        bytes += chunk.length
      })
      response.on('end', () =>
        response.statusCode === 200
          ? resolve({ ms: ms ?? Infinity, bytes })
          : reject(new Error(`answered ${response.statusCode}`)),
      )
      response.on('error', reject)
    }).on('error', reject)
  })
}
