import { ask } from '../setup/ask.ts'
import { sleep } from '../setup/machine.ts'
import { headers, startPeer } from '../setup/peers.ts'
import type { Peer } from '../setup/peers.ts'
import { residentOf } from '../setup/process.ts'
import { middle } from '../setup/rounds.ts'
import { ports, root } from '../setup/addresses.ts'
import { printTable } from '../setup/table.ts'

/** Milliseconds from starting a process to its first proxied answer, and what it holds when idle. */
export async function coldStart(
  peers: readonly Peer[], rounds: number,
): Promise<Map<string, readonly { ms: number, resident: number }[]>> {
  const results = new Map<string, { ms: number, resident: number }[]>()
  for (let round = 0; round < rounds; round++) {
    for (const { name, command } of peers) {
      const began = performance.now()
      const running = startPeer(name, command)
      await ask(ports.proxy, `${root}/accounts`, headers, { patience: 10_000 })
      const ms = performance.now() - began
      await sleep(700)
      results.set(name, [...results.get(name) ?? [], { ms, resident: residentOf(running.pid) }])
      await running.stop()
    }
  }
  const [bareStart, bareResident] = [
    middle((results.get('bare http-proxy') ?? []).map(({ ms }) => ms)),
    middle((results.get('bare http-proxy') ?? []).map(({ resident }) => resident)),
  ]
  const head = ['', 'ms', '× bare', 'fastest', 'RSS MiB', '× bare']
  printTable('Cold start to the first proxied answer, and idle', head, [...results].map(([name, own]) => {
    const ms = middle(own.map((one) => one.ms))
    const resident = middle(own.map((one) => one.resident))
    return [name, ms, ms / bareStart, Math.min(...own.map((one) => one.ms)), resident, resident / bareResident]
  }))
  return results
}
