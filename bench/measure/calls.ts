import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { far, ports, root } from '../setup/addresses.ts'
import { ask } from '../setup/ask.ts'
import { gateway, headers, startPeer } from '../setup/peers.ts'
import { certificate } from '../setup/service.ts'
import { printTable } from '../setup/table.ts'

const run = promisify(execFile)

/** The time of one call for an app, in milliseconds. */
interface Call {
  readonly first: number
  readonly steady: number
}

/** Compared with apps of today: a token and a lookup for every call, or MSAL and a cache inside each app. */
export async function calls(): Promise<Record<string, Call>> {
  const running = startPeer('gateway-far', gateway({ service: far.origin }))
  try {
    await ask(
      ports.proxy,
      `${root}/accounts`,
      { ...headers, 'x-user-email': 'someone9@contoso.com' },
      { retryForMs: 10_000 },
    )
    const results: Record<string, Call> = {}
    for (const [way, label] of [
      ['every', 'token and lookup on every call'],
      ['msal', 'MSAL and a cache in the app'],
      ['gateway', 'through the gateway'],
      ['api', 'the API alone'],
    ] as const) {
      const { stdout } = await run(
        process.execPath,
        [join(import.meta.dirname, '../setup/app.js'), way, far.origin, `http://127.0.0.1:${ports.proxy}`],
        {
          env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate },
        },
      )
      results[label] = JSON.parse(stdout) as Call
    }
    printTable(
      `One call of an app, in ms (Entra ${far.entra} ms, Dynamics ${far.dynamics} ms)`,
      ['', 'first', 'steady'],
      Object.entries(results).map(([label, { first, steady }]) => [label, first, steady]),
    )
    return results
  } finally {
    await running.stop()
  }
}
