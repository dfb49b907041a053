import { ports } from './addresses.ts'
import { ask } from './ask.ts'
import { load } from './load.ts'
import type { Load, Outcome } from './load.ts'
import { headers, startPeer } from './peers.ts'
import { cpuOf, residentOf } from './process.ts'
import type { Command } from './process.ts'

/** One peer under one load, once. */
export interface Round extends Outcome {
  /** Microseconds a request, user and kernel. */
  readonly cpu: number
  /** MiB. */
  readonly resident: number
}

/** A program to start, and the load for it. */
export interface Contender {
  readonly name: string
  readonly command: Command
  readonly what: Omit<Load, 'port'>
}

/** The figures of every load. */
type Figure = Exclude<keyof Round, 'p999' | 'longestOnTime' | 'ownPause'>

export type Rounds = ReadonlyMap<string, readonly Round[]>

/** The time under load after which V8 has optimized what a Node program needs. */
const WARM_UP_SECONDS = 8

/** A text that each response must have, to detect a peer with wrong responses. */
const EXPECTED = '$metadata#'

/**
 * Measures each contender in turn, `rounds` times, so that a slow minute of the machine affects all of them. Each is
 * restarted, answers one request, and is warmed up while all its answers are checked.
 */
export async function interleaved(contenders: readonly Contender[], rounds: number): Promise<Rounds> {
  const results = new Map<string, Round[]>()
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      results.set(contender.name, [...(results.get(contender.name) ?? []), await measureRound(contender)])
    }
  }
  return results
}

async function measureRound({ name, command, what }: Contender): Promise<Round> {
  const running = startPeer(name, command)
  try {
    await ask(ports.proxy, '/api/data/v9.2/accounts', headers, { retryForMs: 10_000 })
    const { rate: _rate, ...full } = what
    const warm = await load({
      ...full,
      port: ports.proxy,
      seconds: what.seconds > 2 ? WARM_UP_SECONDS : 2,
      ...(what.body === undefined ? { expect: EXPECTED } : {}),
    })
    if (warm.wrong > 0) throw new Error(`${name}: ${warm.wrong} of ${warm.requests} answers were wrong`)
    const before = cpuOf(running.pid)
    const outcome = await load({ ...what, port: ports.proxy })
    const cpu = (cpuOf(running.pid) - before) / outcome.requests
    return { ...outcome, cpu, resident: residentOf(running.pid) }
  } finally {
    await running.stop()
  }
}

/** The median of one figure over the rounds. */
export function median(rounds: readonly Round[] | undefined, figure: Figure): number {
  return middle((rounds ?? []).map((round) => round[figure]))
}

export function middle(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The spread of the rounds, as a share of their median. */
export function spread(rounds: readonly Round[] | undefined, figure: Figure): number {
  const values = (rounds ?? []).map((round) => round[figure])
  return (Math.max(...values) - Math.min(...values)) / middle(values)
}
