import { root } from '../setup/addresses.ts'
import { gateway } from '../setup/peers.ts'
import { interleaved } from '../setup/rounds.ts'
import type { Contender, Rounds } from '../setup/rounds.ts'
import { printRounds } from './throughput.ts'

const path = `${root}/accounts`

/** Whether a request costs more with more known users, more connections or more rules. */
export async function growth(): Promise<Rounds> {
  const busy = { impersonation: { lookupsPerSecond: 1000 } }
  const rules = (count: number): object => ({
    anybody: {
      rules: Array.from(
        { length: count },
        (_, index) => `allow * ${index === count - 1 ? 'accounts' : `others${index}`}`,
      ),
    },
  })
  const contenders: Contender[] = [
    ...[1, 100, 10_000].map((users) => ({
      name: `${users} users`,
      command: gateway({ target: busy }),
      what: { path, connections: 16, seconds: 4, users },
    })),
    ...[1, 64, 512].map((connections) => ({
      name: `${connections} connections`,
      command: gateway(),
      what: { path, connections, seconds: 4 },
    })),
    ...[1, 100].map((count) => ({
      name: `${count} rules`,
      command: gateway({ settings: rules(count) }),
      what: { path, connections: 16, seconds: 4 },
    })),
  ]
  const results = await interleaved(contenders, 3)
  printRounds('What grows: the gateway alone, GET, 1 KB', results, '1 users')
  return results
}
