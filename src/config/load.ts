import { existsSync, readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'

import { OwnError } from '../own-error.ts'
import { schema } from '../config.ts'
import type { Settings } from '../config.ts'
import { crossChecks, exposureCheck } from './cross-checks.ts'
import { parseDotEnv } from './dot-env.ts'
import { settingsOfEnvironment } from './from-environment.ts'
import { readProxies } from './proxies.ts'
import { readNode } from './setting.ts'
import type { Source } from './setting.ts'

/** The settings are wrong. `faults` names each of them, and what to write. */
export class SettingsFault extends OwnError {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(`The settings have ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n`
      + faults.map((fault) => `  - ${fault}`).join('\n'))
    this.faults = faults
  }
}

/** The variables of the process; a `.env` file in the working folder fills in what is not set. */
export function environment(): NodeJS.ProcessEnv {
  return { ...dotEnv(), ...nonEmpty(process.env) }
}

/**
 * Reads the settings: targets and callers from `file` if there is one, else from the environment; what
 * concerns the process alone (`HOST`, `LOG_LEVEL` …) from the environment before the file.
 *
 * @param file path of a JSON or YAML file; `GATEWAY_CONFIG` names it too
 * @param adapt changes a target as it was written, before it is read
 * @throws {SettingsFault} with all faults at once
 */
export function loadSettings(
  env: NodeJS.ProcessEnv, file: string | undefined,
  adapt: (target: Readonly<Record<string, unknown>>) => unknown = (target) => target,
): Settings {
  const faults: string[] = []
  const source = sourceOf(env)
  const { written, nameOf } = settingsOfEnvironment(source, fileOf(source, file, faults), faults)
  const read = readNode(schema, withTargets(written, adapt), '', nameOf, source, faults)
  const settings = { ...read, proxies: readProxies(source.env, faults) }
  exposureCheck(settings, faults)
  if (faults.length === 0) crossChecks(settings, faults)
  if (faults.length > 0) throw new SettingsFault(faults)
  return settings
}

/**
 * Reads where the gateway listens and nothing else, to look at one that runs: other settings may be missing or wrong.
 *
 * @throws {SettingsFault}
 */
export function loadListener(
  env: NodeJS.ProcessEnv, file: string | undefined,
): Pick<Settings, 'host' | 'port' | 'tls'> {
  const faults: string[] = []
  const source = sourceOf(env)
  const { host, port, tls } = schema.members
  const { written, nameOf } = settingsOfEnvironment(source, fileOf(source, file, faults), [])
  const { host: at, port: on, tls: how } = written as Readonly<Record<string, unknown>>
  const listener = readNode(
    { type: 'group', about: '', members: { host, port, tls } },
    { host: at, port: on, tls: how },
    '', nameOf, source, faults,
  )
  if (faults.length > 0) throw new SettingsFault(faults)
  return listener
}

/** `written` with each target changed by `adapt`, as far as it is one. */
function withTargets(written: unknown, adapt: (target: Readonly<Record<string, unknown>>) => unknown): unknown {
  const { targets } = written as { readonly targets?: unknown }
  return Array.isArray(targets)
    ? { ...written as object, targets: targets.map((target) => isObject(target) ? adapt(target) : target) }
    : written
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sourceOf(env: NodeJS.ProcessEnv): Source {
  return { env: nonEmpty(env), file: (path) => readFileSync(path, 'utf8') }
}

function fileOf({ env }: Source, file: string | undefined, faults: string[]): unknown {
  const path = file ?? env['GATEWAY_CONFIG']
  return path === undefined ? undefined : parseFile(path, faults) ?? {}
}

/** A file of JSON or YAML (of which JSON is a part). */
function parseFile(path: string, faults: string[]): object | undefined {
  try {
    const read: unknown = parseYaml(readFileSync(path, 'utf8'), { logLevel: 'error' }) ?? {}
    if (typeof read === 'object' && read !== null && !Array.isArray(read)) return read
    faults.push(`${path} holds no named settings: write them as \`name: value\`, beginning with \`targets:\`.`)
  } catch (error) {
    const { code, linePos } = error as NodeJS.ErrnoException & { linePos?: readonly { line: number, col: number }[] }
    const at = linePos?.[0] === undefined ? '' : ` (line ${linePos[0].line}, column ${linePos[0].col})`
    // The parser's own words may repeat what stands there.
    faults.push(code === undefined || !/^E[A-Z]+$/.test(code)
      ? `${path} is neither JSON nor YAML${at}: mend it there; an editor shows the fault.`
      : `${path} cannot be read (${code}): mend the path or its permissions.`)
  }
  return undefined
}

function dotEnv(): NodeJS.Dict<string> {
  try {
    return nonEmpty(parseDotEnv(readFileSync('.env', 'utf8')))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return {}
    throw new SettingsFault([`.env cannot be read (${code ?? 'not text'}): mend its permissions, or remove it.`])
  }
}

/** An empty variable is one that is not set: that is what `${NAME:-}` in a compose file makes of it. */
function nonEmpty(env: NodeJS.Dict<string>): NodeJS.Dict<string> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''))
}

/** What the files say that settings are read from, to see whether they have changed; empty where there are none. */
export function settingsText(env: NodeJS.ProcessEnv, file: string | undefined): string {
  return [file ?? env['GATEWAY_CONFIG'], '.env'].map((path) =>
    path !== undefined && existsSync(path) ? readFileSync(path, 'utf8') : '').join('\0')
}
