import { ports, root } from '../setup/addresses.ts'
import { ask } from '../setup/ask.ts'
import { sleep } from '../setup/machine.ts'
import { headers, startPeer } from '../setup/peers.ts'
import type { Peer } from '../setup/peers.ts'
import { cpuOfThreads, residentOf } from '../setup/process.ts'
import { middle } from '../setup/rounds.ts'
import { printTable } from '../setup/table.ts'

/** One start: milliseconds of time and of CPU until the first proxied response, and MiB when idle. */
interface Start {
  readonly ms: number
  readonly cpu: number
  readonly resident: number
}

/** Starts each peer in turn, `rounds` times, and measures it until it is idle. */
export async function coldStart(peers: readonly Peer[], rounds: number): Promise<Map<string, readonly Start[]>> {
  const results = new Map<string, Start[]>()
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers) results.set(peer.name, [...(results.get(peer.name) ?? []), await measureStart(peer)])
  }
  const median = (name: string, figure: keyof Start): number =>
    middle((results.get(name) ?? []).map((one) => one[figure]))
  const beside = (name: string, figure: keyof Start): number => median(name, figure) / median('bare http-proxy', figure)
  const head = ['', 'ms', '× bare', 'fastest', 'CPU ms', '× bare', 'RSS MiB', '× bare']
  printTable(
    'Cold start to the first proxied answer, and idle',
    head,
    [...results].map(([name, own]) => [
      name,
      median(name, 'ms'),
      beside(name, 'ms'),
      Math.min(...own.map(({ ms }) => ms)),
      median(name, 'cpu'),
      beside(name, 'cpu'),
      median(name, 'resident'),
      beside(name, 'resident'),
    ]),
  )
  return results
}

async function measureStart({ name, command }: Peer): Promise<Start> {
  const began = performance.now()
  const running = startPeer(name, command)
  try {
    const { body } = await ask(ports.proxy, `${root}/accounts`, headers, { retryForMs: 10_000 })
    const ms = performance.now() - began
    const cpu = cpuOfThreads(running.pid)
    if (!body.includes('$metadata#')) throw new Error(`${name} answered ${body.slice(0, 200)}`)
    await sleep(700)
    return { ms, cpu, resident: residentOf(running.pid) }
  } finally {
    await running.stop()
  }
}
