import { setFlagsFromString } from 'node:v8'

import type { buildConnector } from 'undici'

/**
 * How much of a WebAssembly function V8 runs before it optimizes it, by Node's major version: the default of
 * `--wasm-tiering-budget`. Later versions count so that undici's parser is optimized after some 500 responses.
 */
const DEFAULT_BUDGETS: Readonly<Record<string, number>> = { 20: 1_800_000, 22: 13_000_000, 24: 13_000_000 }

/** Reached after 50 to 100 responses. */
const LARGE_BUDGET = 2_000_000_000

const defaultBudget = DEFAULT_BUDGETS[process.versions.node.split('.')[0]!]
let isParserCompiled = defaultBudget === undefined

/**
 * Makes V8 optimize undici's HTTP parser only after some responses. With the default it does so during the start, which
 * takes 85 ms of CPU and 37 MiB of memory; up to 10 MiB stay allocated. See docs/decisions/idle-memory.md.
 *
 * undici compiles the parser when `onConnect` gets the first connection. V8 reads the option only then, and a changed
 * option would make it reject compiled code from the cache, so the default is restored at once.
 *
 * @until Node 26, whose default delays the optimization
 */
export function optimizingParserLater(onConnect: buildConnector.Callback): buildConnector.Callback {
  return (...outcome) => {
    if (isParserCompiled || !outcome[1]) return onConnect(...outcome)
    isParserCompiled = true
    setFlagsFromString(`--wasm-tiering-budget=${LARGE_BUDGET}`)
    try {
      onConnect(...outcome)
    } finally {
      setFlagsFromString(`--wasm-tiering-budget=${defaultBudget}`)
    }
  }
}
