import { ports, root } from '../setup/addresses.ts'
import { load } from '../setup/load.ts'
import type { Load } from '../setup/load.ts'
import type { Peer } from '../setup/peers.ts'
import { interleaved, median, spread } from '../setup/rounds.ts'
import type { Rounds } from '../setup/rounds.ts'
import { printTable } from '../setup/table.ts'

/** Puts the load `what` on all peers, and prints the throughput of one core of each, compared with the bare proxy. */
export async function throughput(
  title: string,
  peers: readonly Peer[],
  what: Omit<Load, 'port'>,
  rounds: number,
): Promise<Rounds> {
  const results = await interleaved(
    peers.map((peer) => ({ ...peer, what })),
    rounds,
  )
  printRounds(title, results, 'bare http-proxy')
  return results
}

/** One row a contender, with ratios to the one named `base`. */
export function printRounds(title: string, results: Rounds, base: string): void {
  const beside = results.get(base)
  printTable(
    title,
    ['', 'requests/s', '± %', `× ${base}`, 'p50 ms', 'p99 ms', 'longest', 'CPU µs', 'by CPU ×', 'RSS MiB', 'wrong'],
    [...results].map(([name, own]) => [
      name,
      median(own, 'perSecond'),
      50 * spread(own, 'perSecond'),
      median(own, 'perSecond') / median(beside, 'perSecond'),
      median(own, 'p50'),
      median(own, 'p99'),
      median(own, 'longest'),
      median(own, 'cpu'),
      median(beside, 'cpu') / median(own, 'cpu'),
      median(own, 'resident'),
      String(own.reduce((sum, { wrong }) => sum + wrong, 0)),
    ]),
  )
}

/** The service without a proxy: shows that the core of the load is not the limit. */
export async function direct(seconds: number): Promise<{ readonly perSecond: number }> {
  const { perSecond, p50, p99 } = await load({
    port: ports.service,
    path: `${root}/accounts`,
    connections: 16,
    seconds,
    tls: true,
  })
  printTable(
    'The service without a proxy: the most that load and service can do on their core',
    ['', 'requests/s', 'p50 ms', 'p99 ms'],
    [['direct', perSecond, p50, p99]],
  )
  return { perSecond }
}
