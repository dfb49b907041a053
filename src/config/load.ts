import { existsSync, readFileSync } from 'node:fs'

import { OwnError } from '../own-error.ts'
import { SETTING_VARIABLES } from './catalogue.ts'
import { crossChecks, exposureCheck } from './cross-checks.ts'
import { withDependentDefaults } from './dependent-defaults.ts'
import { cutShort, dotEnvFile, unknownNames } from './dot-env-file.ts'
import type { DotEnvFile } from './dot-env-file.ts'
import { settingsOfEnvironment } from './from-environment.ts'
import { machineChecks } from './machine-checks.ts'
import { meantInFile, meantVariable } from './meant.ts'
import { readProxies } from './proxies.ts'
import { schema } from './schema.ts'
import type { Settings } from './schema.ts'
import { readNode } from './setting.ts'
import type { Source } from './setting.ts'
import { readSettingsFile } from './settings-file.ts'
import { readText } from './text-file.ts'

/** The settings are wrong. `faults` names each of them, and what to write. */
export class SettingsFault extends OwnError {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(
      `The settings have ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n` +
        faults.map((fault) => `  - ${fault}`).join('\n'),
    )
    this.faults = faults
  }
}

/** What a command begins with. */
export interface Loaded {
  readonly settings: Settings
  /** The variables of the process, and those of `.env` that it lacks. */
  readonly env: NodeJS.Dict<string>
  /** Where the settings were read from, for people. */
  readonly source: string
  /** What is not wrong but may not be what was meant, as sentences. */
  readonly warnings: readonly string[]
}

/** How settings are read, beyond where from. */
export interface LoadOptions {
  /** The `.env` file whose variables are among those of `env`. */
  readonly dotEnv?: DotEnvFile
  /** The variables that the process has itself; left out, all. */
  readonly own?: NodeJS.Dict<string>
  /** Changes a target as it was written, before it is read. */
  readonly adapt?: Adapt
}

type Adapt = (target: Readonly<Record<string, unknown>>) => unknown

const asItIs: Adapt = (target) => target

/**
 * Reads the settings of this process: its variables, the `.env` file of its working folder, and `file`.
 *
 * @throws {SettingsFault} with all faults at once
 */
export function load(file: string | undefined): Loaded {
  const { env, dotEnv, own } = processVariables()
  const settings = loadSettings(env, file, { dotEnv, own })
  const source =
    file ?? env['GATEWAY_CONFIG'] ?? (dotEnv.exists ? `the environment and ${dotEnv.path}` : 'the environment')
  return { settings, env, source, warnings: [...nearMisses(own), ...doubtsOf(dotEnv, own).values()] }
}

/** The variables of the process; a `.env` file in the working folder fills in what is not set. */
export function environment(): NodeJS.Dict<string> {
  return processVariables().env
}

/** The same, with what is to be known of where each came from. */
export function processVariables(): Required<Omit<LoadOptions, 'adapt'>> & { readonly env: NodeJS.Dict<string> } {
  const dotEnv = dotEnvFile(process.cwd())
  const own = nonEmpty(process.env)
  return { env: { ...nonEmpty(dotEnv.variables), ...own }, dotEnv, own }
}

/**
 * Reads the settings: targets and callers from `file` if there is one, else from the environment; what
 * concerns the process alone (`HOST`, `LOG_LEVEL` …) from the environment before the file.
 *
 * @param file path of a JSON or YAML file; `GATEWAY_CONFIG` names it too
 * @throws {SettingsFault} with all faults at once
 */
export function loadSettings(
  env: NodeJS.Dict<string>,
  file: string | undefined,
  { dotEnv, own = env, adapt = asItIs }: LoadOptions = {},
): Settings {
  const faults = [...(dotEnv?.faults ?? [])]
  const from = { ...sourceOf(env), ...(dotEnv === undefined ? {} : { doubts: doubtsOf(dotEnv, own) }) }
  const read = fileOf(from, file, faults)
  if (dotEnv !== undefined) faults.push(...unknownNames(dotEnv, new Set([...OBSERVED, ...variablesOf(read)]), own))
  const sought = soughtIn(dotEnv)
  const told = new Set([...(dotEnv?.lines.keys() ?? [])].filter((name) => own[name] === undefined))
  const { written, nameOf, isVariable } = settingsOfEnvironment(from, read, faults, sought, told)
  const values = readNode(
    schema,
    withTargets(written, (target) => withDependentDefaults(adapt(target))),
    {
      from,
      nameOf,
      faults,
      meant: meantInFile,
      soughtIn: (name) => (isVariable(name) ? sought : ''),
    },
  )
  const settings = { ...values, proxies: readProxies(from.env, faults) }
  exposureCheck(settings, faults)
  machineChecks(settings, nameOf, faults)
  if (faults.length === 0) crossChecks(settings, faults)
  if (faults.length > 0) throw new SettingsFault([...new Set(faults)])
  return settings
}

/**
 * Reads where the gateway listens and nothing else, to look at one that runs: other settings may be missing or wrong.
 *
 * @throws {SettingsFault}
 */
export function loadListener(
  env: NodeJS.Dict<string>,
  file: string | undefined,
): Pick<Settings, 'host' | 'port' | 'tls'> {
  const faults: string[] = []
  const from = sourceOf(env)
  const { host, port, tls } = schema.members
  const { written, nameOf } = settingsOfEnvironment(from, fileOf(from, file, faults), [])
  const { host: at, port: on, tls: how } = written as Readonly<Record<string, unknown>>
  const listener = readNode(
    { type: 'group', about: '', members: { host, port, tls } },
    { host: at, port: on, tls: how },
    { from, nameOf, faults },
  )
  if (faults.length > 0) throw new SettingsFault(faults)
  return listener
}

/** `written` with each target changed by `adapt`, as far as it is one. */
function withTargets(written: unknown, adapt: Adapt): unknown {
  const { targets } = written as { readonly targets?: unknown }
  return Array.isArray(targets)
    ? { ...(written as object), targets: targets.map((target) => (isObject(target) ? adapt(target) : target)) }
    : written
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What the files say that settings are read from, to see whether they have changed; empty where there are none. */
export function settingsText(env: NodeJS.Dict<string>, file: string | undefined): string {
  return [file ?? env['GATEWAY_CONFIG'], '.env']
    .map((path) => (path !== undefined && existsSync(path) ? readFileSync(path, 'utf8') : ''))
    .join('\0')
}

/** `REDIS_URL` has a fault of its own. */
const OBSERVED: readonly string[] = [...SETTING_VARIABLES, 'REDIS_URL']

function sourceOf(env: NodeJS.Dict<string>): Source {
  return { env: nonEmpty(env), file: readText }
}

function fileOf({ env }: Source, file: string | undefined, faults: string[]): unknown {
  const path = file ?? env['GATEWAY_CONFIG']
  return path === undefined ? undefined : (readSettingsFile(path, faults) ?? {})
}

/** The variables that a settings file takes secrets from. */
function variablesOf(written: unknown): string[] {
  if (typeof written !== 'object' || written === null) return []
  return Object.entries(written).flatMap(([key, value]) =>
    key === 'env' && typeof value === 'string' ? [value] : variablesOf(value),
  )
}

/** Where a variable that is missing was looked for. */
function soughtIn(dotEnv: DotEnvFile | undefined): string {
  if (dotEnv === undefined) return ''
  return dotEnv.exists
    ? ` Looked for in the environment and in ${dotEnv.path}.`
    : ` Looked for in the environment; there is no ${dotEnv.path}.`
}

function doubtsOf(dotEnv: DotEnvFile, own: NodeJS.Dict<string>): ReadonlyMap<string, string> {
  const secrets = new Set(OBSERVED.filter((name) => OBSERVED.includes(`${name}_FILE`)))
  return new Map([...cutShort(dotEnv, own)].filter(([name]) => secrets.has(name) || !OBSERVED.includes(name)))
}

/** Variables of the process that are no settings, and look as if they were meant to be. */
function nearMisses(env: NodeJS.Dict<string>): string[] {
  return Object.keys(env).flatMap((name) => {
    const near = OBSERVED.includes(name) ? undefined : meantVariable(name)
    return near === undefined || env[near] !== undefined ? [] : [`${name} is not a setting. Did you mean ${near}?`]
  })
}

/** An empty variable is one that is not set: that is what `${NAME:-}` in a compose file makes of it. */
function nonEmpty(env: NodeJS.Dict<string>): NodeJS.Dict<string> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''))
}
