import { ports, root } from '../setup/addresses.ts'
import { gateway } from '../setup/peers.ts'
import { interleaved } from '../setup/rounds.ts'
import type { Rounds } from '../setup/rounds.ts'
import { printRounds } from './throughput.ts'

/** Shares of requests that are traced; 0: tracing is on, and no trace is recorded. `undefined`: tracing is off. */
const SHARES = [undefined, 0, 0.1, 1]

/** The cost of tracing: off, only for callers that request it, 10 %, 100 %. Each round runs in its own process. */
export async function tracing(rounds: number, seconds: number): Promise<Rounds> {
  const command = gateway()
  const results = await interleaved(
    SHARES.map((share) => ({
      name: share === undefined ? 'off' : `${100 * share} %`,
      command: { ...command, env: { ...command.env, ...(share === undefined ? {} : variables(share)) } },
      what: { path: `${root}/accounts`, connections: 16, seconds },
    })),
    rounds,
  )
  printRounds('Tracing: GET, 1 KB, 16 connections', results, 'off')
  return results
}

function variables(share: number): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${ports.small}`,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: String(share),
  }
}
