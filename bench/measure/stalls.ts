import { ports, root } from '../setup/addresses.ts'
import { ask } from '../setup/ask.ts'
import { load } from '../setup/load.ts'
import type { Outcome } from '../setup/load.ts'
import { headers, startPeer } from '../setup/peers.ts'
import type { Peer } from '../setup/peers.ts'
import { printTable } from '../setup/table.ts'

const RATE = 2000
const CONNECTIONS = 64
const path = `${root}/accounts`

/** The figures of a Node.js process at `/-/metrics`. */
interface ProcessFigures {
  /** The longest delay of its event loop, in milliseconds. */
  readonly loopPause: number
  /** Milliseconds of garbage collection, and the number of collections over 10 ms (the smallest bucket). */
  readonly collected: number
  readonly longCollections: number
}

type Minute = Outcome & Partial<ProcessFigures>

/**
 * The longest wait while requests arrive at equal intervals. The machine and the loader pause too: the loader reports
 * the requests that it delayed itself, and nginx, which has no garbage collection, shows the pauses of the machine.
 */
export async function stalls(peers: readonly Peer[], seconds: number): Promise<Record<string, Minute>> {
  const results: Record<string, Minute> = {}
  for (const peer of peers) results[peer.name] = await measure(peer, seconds)
  printTable(
    `${seconds} seconds of ${RATE.toLocaleString('en')} requests a second: answers, and pauses, in ms`,
    [
      '',
      'requests',
      'p50',
      'p99',
      'p99.9',
      'longest',
      '… loader on time',
      "loader's pause",
      "event loop's pause",
      'GC in all',
      'GC > 10 ms',
      'wrong',
    ],
    Object.entries(results).map(([name, own]) => [
      name,
      own.requests,
      own.p50,
      own.p99,
      own.p999 ?? NaN,
      own.longest,
      own.longestOnTime ?? NaN,
      own.ownPause ?? NaN,
      own.loopPause ?? NaN,
      own.collected ?? NaN,
      own.longCollections ?? NaN,
      String(own.wrong),
    ]),
  )
  return results
}

async function measure({ name, command }: Peer, seconds: number): Promise<Minute> {
  const running = startPeer(name, command)
  try {
    await ask(ports.proxy, path, headers, { retryForMs: 10_000 })
    const what = { port: ports.proxy, path, connections: CONNECTIONS, rate: RATE }
    const warm = await load({ ...what, seconds: 5, expect: '$metadata#' })
    if (warm.wrong > 0) throw new Error(`${name}: ${warm.wrong} of ${warm.requests} answers were wrong`)
    const before = name === 'gateway' ? await inside() : undefined
    const outcome = await load({ ...what, seconds })
    if (before === undefined) return outcome
    const after = await inside()
    return {
      ...outcome,
      loopPause: after.loopPause,
      collected: after.collected - before.collected,
      longCollections: after.longCollections - before.longCollections,
    }
  } finally {
    await running.stop()
  }
}

/** Node's own figures. Reading them resets the longest pause. */
async function inside(): Promise<ProcessFigures> {
  const { body } = await ask(ports.proxy, '/-/metrics', {})
  const sum = (name: RegExp): number => [...body.matchAll(name)].reduce((total, [, value]) => total + Number(value), 0)
  const all = sum(/^nodejs_gc_duration_seconds_count\{.*\} (.+)$/gm)
  const short = sum(/^nodejs_gc_duration_seconds_bucket\{.*le="0\.01".*\} (.+)$/gm)
  return {
    // Node measures every 10 ms, and includes these 10 ms.
    loopPause: Math.max(0, sum(/^nodejs_eventloop_lag_max_seconds (.+)$/gm) * 1000 - 10),
    collected: sum(/^nodejs_gc_duration_seconds_sum\{.*\} (.+)$/gm) * 1000,
    longCollections: all - short,
  }
}
