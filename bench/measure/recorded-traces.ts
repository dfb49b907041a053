import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { ports, root } from '../setup/addresses.ts'
import { ask } from '../setup/ask.ts'
import { load } from '../setup/load.ts'
import { folder } from '../setup/machine.ts'
import { gateway, headers, startPeer } from '../setup/peers.ts'
import { middle } from '../setup/rounds.ts'
import { printTable } from '../setup/table.ts'

/** Shares of requests that are recorded, and the protocol of the export. */
const VARIANTS = [
  { recordOneOf: 10, protocol: 'http/protobuf' },
  { recordOneOf: 1, protocol: 'http/protobuf' },
  { recordOneOf: 1, protocol: 'http/json' },
]

/** The first phases, in which the code is compiled, do not count. */
const WARM_UP_PHASES = 8

/** The CPU of a request whose trace is recorded, as a ratio to requests of the same process that are not recorded. */
export async function recordedTraces(pairs: number): Promise<Record<string, number>> {
  const results: Record<string, number> = {}
  const rows: (string | number)[][] = []
  for (const variant of VARIANTS) {
    const name = `${100 / variant.recordOneOf} % recorded, ${variant.protocol}`
    const phases = await measure(variant, WARM_UP_PHASES + 2 * pairs)
    const ratios = ratiosOf(phases.slice(WARM_UP_PHASES))
    results[name] = middle(ratios)
    rows.push([name, middle(ratios), String(ratios.length)])
  }
  printTable('Tracing: CPU as a ratio to requests that are not recorded', ['', 'ratio', 'phases'], rows)
  return results
}

/** The share of recorded requests in a phase, and the CPU per request. */
type Phase = readonly [share: number, cpu: number]

/** Each phase that is recorded, compared with the phases before and after it. */
function ratiosOf(phases: readonly Phase[]): number[] {
  return phases.flatMap(([share, cpu], index) => {
    const [before, after] = [phases[index - 1], phases[index + 1]]
    return share === 0 || before === undefined || after === undefined ? [] : [cpu / ((before[1] + after[1]) / 2)]
  })
}

async function measure({ recordOneOf, protocol }: (typeof VARIANTS)[number], phases: number): Promise<Phase[]> {
  const file = join(folder, 'phases')
  writeFileSync(file, '')
  const { program, args, env } = gateway()
  const running = startPeer('traced', {
    program,
    args: ['--import', join(import.meta.dirname, '../setup/alternate-traces.js'), ...args],
    env: {
      ...env,
      PHASES: file,
      RECORD_ONE_OF: String(recordOneOf),
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${ports.small}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    },
  })
  try {
    await ask(ports.proxy, `${root}/accounts`, headers, { retryForMs: 10_000 })
    for (;;) {
      const measured = readPhases(file)
      if (measured.length >= phases) return measured
      await load({ port: ports.proxy, path: `${root}/accounts`, connections: 16, seconds: 4 })
    }
  } finally {
    await running.stop()
  }
}

function readPhases(file: string): Phase[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => line.split(' ').map(Number) as [number, number])
}
