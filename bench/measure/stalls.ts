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

/** What a Node.js process says of itself at `/-/metrics`. */
interface Inside {
  /** Milliseconds that its event loop was held up at most. */
  readonly loopPause: number
  /** Milliseconds of garbage collection, and how many took longer than 10 ms (the finest that it tells). */
  readonly collected: number
  readonly longCollections: number
}

type Minute = Outcome & Partial<Inside>

/**
 * The longest that anybody waits while requests come evenly. The machine and the loader pause too: the loader tells
 * which requests it held up itself, and nginx, which has no garbage, shows what the machine does.
 */
export async function stalls(peers: readonly Peer[], seconds: number): Promise<Record<string, Minute>> {
  const results: Record<string, Minute> = {}
  for (const peer of peers) results[peer.name] = await once(peer, seconds)
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

async function once({ name, command }: Peer, seconds: number): Promise<Minute> {
  const running = startPeer(name, command)
  try {
    await ask(ports.proxy, path, headers, { patience: 10_000 })
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

/** Node's own figures; asking also resets the longest pause. */
async function inside(): Promise<Inside> {
  const { body } = await ask(ports.proxy, '/-/metrics', {})
  const sum = (name: RegExp): number => [...body.matchAll(name)].reduce((total, [, value]) => total + Number(value), 0)
  const all = sum(/^nodejs_gc_duration_seconds_count\{.*\} (.+)$/gm)
  const short = sum(/^nodejs_gc_duration_seconds_bucket\{.*le="0\.01".*\} (.+)$/gm)
  return {
    // Node measures every 10 ms, and counts those too.
    loopPause: Math.max(0, sum(/^nodejs_eventloop_lag_max_seconds (.+)$/gm) * 1000 - 10),
    collected: sum(/^nodejs_gc_duration_seconds_sum\{.*\} (.+)$/gm) * 1000,
    longCollections: all - short,
  }
}
