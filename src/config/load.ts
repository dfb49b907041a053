import { existsSync, readFileSync } from 'node:fs'

import { OwnError } from '../logging/own-error.ts'
import { SETTING_VARIABLES } from './all-settings.ts'
import { crossChecks, exposureCheck } from './cross-checks.ts'
import { withDependentDefaults } from './dependent-defaults.ts'
import { cutShort, dotEnvFile, unknownNames } from './dot-env-file.ts'
import type { DotEnvFile } from './dot-env-file.ts'
import { settingsFromEnvironment } from './from-environment.ts'
import { machineChecks } from './machine-checks.ts'
import { readProxies } from './proxies.ts'
import { readNode } from './read-node.ts'
import { schema } from './schema.ts'
import type { Settings } from './schema.ts'
import type { Source } from './setting.ts'
import { readSettingsFile } from './settings-file.ts'
import { suggestKey, suggestVariable } from './suggest.ts'
import { readText } from './text-file.ts'
import { readTracing } from './tracing.ts'

/** The settings are invalid. `errors` has one sentence for each error, with the fix. */
export class SettingsError extends OwnError {
  readonly errors: readonly string[]
  constructor(errors: readonly string[]) {
    super(
      `The settings have ${errors.length === 1 ? 'an error' : `${errors.length} errors`}:\n` +
        errors.map((fault) => `  - ${fault}`).join('\n'),
    )
    this.errors = errors
  }
}

/** The input of a command. */
export interface Loaded {
  readonly settings: Settings
  /** The variables of the process, and those of `.env` that the process does not have. */
  readonly env: NodeJS.Dict<string>
  /** Where the settings were read from, for people. */
  readonly source: string
  /** Sentences on settings that are valid but may be unintended. */
  readonly warnings: readonly string[]
}

/** Options for reading settings. */
export interface LoadOptions {
  /** The `.env` file whose variables are among those of `env`. */
  readonly dotEnv?: DotEnvFile
  /** The variables of the process itself; default: all of `env`. */
  readonly own?: NodeJS.Dict<string>
  /** Changes a raw target before it is read. */
  readonly adapt?: Adapt
}

type Adapt = (target: Readonly<Record<string, unknown>>) => unknown

const asItIs: Adapt = (target) => target

/**
 * Reads the settings of this process: its variables, the `.env` file of its working folder, and `file`.
 *
 * @throws {SettingsError} with all errors at once
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

/** The same, with the `.env` file and the variables of the process itself. */
export function processVariables(): Required<Omit<LoadOptions, 'adapt'>> & { readonly env: NodeJS.Dict<string> } {
  const dotEnv = dotEnvFile(process.cwd())
  const own = nonEmpty(process.env)
  return { env: { ...nonEmpty(dotEnv.variables), ...own }, dotEnv, own }
}

/**
 * Reads the settings: targets and callers from `file` if there is one, otherwise from the environment. Settings that
 * concern the process (`HOST`, `LOG_LEVEL` …) come from the environment, then from the file.
 *
 * @param file path of a JSON or YAML file; default: `GATEWAY_CONFIG`
 * @throws {SettingsError} with all errors at once
 */
export function loadSettings(
  env: NodeJS.Dict<string>,
  file: string | undefined,
  { dotEnv, own = env, adapt = asItIs }: LoadOptions = {},
): Settings {
  const errors = [...(dotEnv?.errors ?? [])]
  const from = { ...sourceOf(env), ...(dotEnv === undefined ? {} : { doubts: doubtsOf(dotEnv, own) }) }
  const read = fileOf(from, file, errors)
  if (dotEnv !== undefined)
    errors.push(...unknownNames(dotEnv, new Set([...SETTING_VARIABLES, ...variablesOf(read)]), own))
  const sought = searchedIn(dotEnv)
  const told = new Set([...(dotEnv?.lines.keys() ?? [])].filter((name) => own[name] === undefined))
  const { raw, nameOf, isVariable } = settingsFromEnvironment(from, read, errors, sought, told)
  const values = readNode(
    schema,
    withTargets(raw, (target) => withDependentDefaults(adapt(target))),
    {
      source: from,
      nameOf,
      errors,
      suggest: suggestKey,
      searchedIn: (name) => (isVariable(name) ? sought : ''),
    },
  )
  const settings = { ...values, proxies: readProxies(from.env, errors), tracing: readTracing(from.env, errors) }
  exposureCheck(settings, errors)
  machineChecks(settings, nameOf, errors)
  if (errors.length === 0) crossChecks(settings, errors)
  if (errors.length > 0) throw new SettingsError([...new Set(errors)])
  return settings
}

/**
 * Reads only the listen address, to query a running gateway: other settings may be missing or invalid.
 *
 * @throws {SettingsError}
 */
export function loadListener(
  env: NodeJS.Dict<string>,
  file: string | undefined,
): Pick<Settings, 'host' | 'port' | 'tls'> {
  const errors: string[] = []
  const from = sourceOf(env)
  const { host, port, tls } = schema.members
  const { raw, nameOf } = settingsFromEnvironment(from, fileOf(from, file, errors), [])
  const { host: at, port: on, tls: how } = raw as Readonly<Record<string, unknown>>
  const listener = readNode(
    { type: 'group', description: '', members: { host, port, tls } },
    { host: at, port: on, tls: how },
    { source: from, nameOf, errors },
  )
  if (errors.length > 0) throw new SettingsError(errors)
  return listener
}

/** `written` with each target changed by `adapt`, as far as it is one. */
function withTargets(raw: unknown, adapt: Adapt): unknown {
  const { targets } = raw as { readonly targets?: unknown }
  return Array.isArray(targets)
    ? { ...(raw as object), targets: targets.map((target) => (isObject(target) ? adapt(target) : target)) }
    : raw
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The text of the files that settings are read from, to detect changes; empty without files. */
export function settingsText(env: NodeJS.Dict<string>, file: string | undefined): string {
  return [file ?? env['GATEWAY_CONFIG'], '.env']
    .map((path) => (path !== undefined && existsSync(path) ? readFileSync(path, 'utf8') : ''))
    .join('\0')
}

function sourceOf(env: NodeJS.Dict<string>): Source {
  return { env: nonEmpty(env), file: readText }
}

function fileOf({ env }: Source, file: string | undefined, errors: string[]): unknown {
  const path = file ?? env['GATEWAY_CONFIG']
  return path === undefined ? undefined : (readSettingsFile(path, errors) ?? {})
}

/** The variables that a settings file takes secrets from. */
function variablesOf(raw: unknown): string[] {
  if (typeof raw !== 'object' || raw === null) return []
  return Object.entries(raw).flatMap(([key, value]) =>
    key === 'env' && typeof value === 'string' ? [value] : variablesOf(value),
  )
}

/** A sentence on where a missing variable was looked for. */
function searchedIn(dotEnv: DotEnvFile | undefined): string {
  if (dotEnv === undefined) return ''
  return dotEnv.exists
    ? ` Looked for in the environment and in ${dotEnv.path}.`
    : ` Looked for in the environment; there is no ${dotEnv.path}.`
}

function doubtsOf(dotEnv: DotEnvFile, own: NodeJS.Dict<string>): ReadonlyMap<string, string> {
  const secrets = new Set([...SETTING_VARIABLES].filter((name) => SETTING_VARIABLES.has(`${name}_FILE`)))
  return new Map([...cutShort(dotEnv, own)].filter(([name]) => secrets.has(name) || !SETTING_VARIABLES.has(name)))
}

/** Warnings about variables of the process that are not settings but look like one. */
function nearMisses(env: NodeJS.Dict<string>): string[] {
  return Object.keys(env).flatMap((name) => {
    const near = SETTING_VARIABLES.has(name) ? undefined : suggestVariable(name)
    return near === undefined || env[near] !== undefined ? [] : [`${name} is not a setting. Did you mean ${near}?`]
  })
}

/** The variables that are not empty. An empty one counts as unset, because `${NAME:-}` in a compose file sets it so. */
function nonEmpty(env: NodeJS.Dict<string>): NodeJS.Dict<string> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''))
}
