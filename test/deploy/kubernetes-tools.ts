import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A program that the tests of charts and manifests need, or why it is not available. */
export interface Tool {
  readonly run: (
    words: readonly string[],
    cwd?: string,
  ) => { readonly status: number | null; readonly stdout: string; readonly stderr: string }
  /** Why tests are skipped; `false` if the program is installed. */
  readonly skip: string | false
}

/** Helm: where the variable HELM says, in .tools/, or on the PATH. */
export const helm = tool('HELM', 'helm', ['version', '--short'])
/** kubectl: where the variable KUBECTL says, in .tools/, or on the PATH. */
export const kubectl = tool('KUBECTL', 'kubectl', ['version', '--client'])

function tool(variable: string, name: string, probe: readonly string[]): Tool {
  const installed = fileURLToPath(new URL(`../../../.tools/${name}`, import.meta.url))
  const program = process.env[variable] || (existsSync(installed) ? installed : name)
  const run: Tool['run'] = (words, cwd) => spawnSync(program, words, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 })
  const found = run(probe).status === 0
  const skip = `${name} is not installed: node scripts/install-kubernetes-tools.mjs puts it into .tools/, or set ${variable}`
  return { run, skip: found ? false : skip }
}
