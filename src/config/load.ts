import { isJsonObject } from '../odata/json-object.ts'
import { SETTING_VARIABLES } from './all-settings.ts'
import { crossChecks, exposureCheck } from './cross-checks.ts'
import { withDependentDefaults } from './dependent-defaults.ts'
import { unknownNames } from './dot-env-file.ts'
import type { DotEnvFile } from './dot-env-file.ts'
import { doubtsOf, nearMisses } from './doubtful-variables.ts'
import { settingsFromEnvironment } from './from-environment.ts'
import { extraAuthoritiesCheck, machineChecks } from './machine-checks.ts'
import { nonEmpty, processVariables } from './process-variables.ts'
import { readProxies } from './proxies.ts'
import { readNode } from './read-node.ts'
import { schema } from './schema.ts'
import type { Settings } from './schema.ts'
import type { Source } from './setting.ts'
import { SettingsError } from './settings-error.ts'
import { readSettingsFile, settingsPath } from './settings-file.ts'
import { readText } from './text-file.ts'
import { readTracing } from './tracing.ts'

/** The input of a command. */
export interface Loaded {
  readonly settings: Settings
  /** The path of the settings file, if there is one. */
  readonly settingsFile: string | undefined
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

type Adapt = (target: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>

const asItIs: Adapt = (target) => target

/**
 * Reads the settings of this process: its variables, the `.env` file of its working folder, and `file`.
 *
 * @throws {SettingsError} with all errors at once
 */
export function load(file: string | undefined): Loaded {
  const { env, dotEnv, own } = processVariables()
  const { settings, secretVariables } = readSettings(env, file, { dotEnv, own })
  const settingsFile = settingsPath(env, file)
  const source = settingsFile ?? (dotEnv.exists ? `the environment and ${dotEnv.path}` : 'the environment')
  const warnings = [...nearMisses(own, secretVariables), ...doubtsOf(dotEnv, own).values()]
  return { settings, settingsFile, env, source, warnings }
}

/**
 * Reads the settings: targets and callers from `file` if there is one, otherwise from the environment. Settings that
 * concern the process (`HOST`, `LOG_LEVEL` …) come from the environment, then from the file.
 *
 * @param file path of a JSON or YAML file; default: `GATEWAY_CONFIG`
 * @throws {SettingsError} with all errors at once
 */
export function loadSettings(env: NodeJS.Dict<string>, file: string | undefined, options?: LoadOptions): Settings {
  return readSettings(env, file, options).settings
}

/** The settings, and the variables that the settings file takes secrets from. */
function readSettings(
  env: NodeJS.Dict<string>,
  file: string | undefined,
  { dotEnv, own = env, adapt = asItIs }: LoadOptions = {},
): { readonly settings: Settings; readonly secretVariables: ReadonlySet<string> } {
  const errors = [...(dotEnv?.errors ?? [])]
  const from = { ...sourceOf(env), ...(dotEnv === undefined ? {} : { doubts: doubtsOf(dotEnv, own) }) }
  const errorsBefore = errors.length
  const read = fileOf(from, file, errors)
  const secretVariables = new Set(variablesOf(read))
  const known = errors.length > errorsBefore ? undefined : new Set([...SETTING_VARIABLES, ...secretVariables])
  if (dotEnv !== undefined) errors.push(...unknownNames(dotEnv, known, own))
  const sought = searchedIn(dotEnv)
  const ofDotEnv = [...(dotEnv?.lines.keys() ?? [])].filter((name) => own[name] === undefined)
  const named = new Set([...secretVariables, ...ofDotEnv])
  const { raw, nameOf, isVariable } = settingsFromEnvironment(from, read, errors, sought, named)
  const values = readNode(
    schema,
    withTargets(raw, (target) => withDependentDefaults(adapt(target))),
    {
      source: from,
      nameOf,
      errors,
      searchedIn: (name) => (isVariable(name) ? sought : ''),
    },
  )
  const settings = { ...values, proxies: readProxies(from.env, errors), tracing: readTracing(from.env, errors) }
  exposureCheck(settings, errors)
  machineChecks(settings, nameOf, errors)
  extraAuthoritiesCheck(own, errors)
  if (errors.length === 0) crossChecks(settings, errors)
  if (errors.length > 0) throw new SettingsError([...new Set(errors)])
  return { settings, secretVariables }
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

/** `raw` with each target changed by `adapt`, as far as it is one. */
function withTargets(raw: unknown, adapt: (target: Readonly<Record<string, unknown>>) => unknown): unknown {
  const { targets } = raw as { readonly targets?: unknown }
  return Array.isArray(targets)
    ? { ...(raw as object), targets: targets.map((target) => (isJsonObject(target) ? adapt(target) : target)) }
    : raw
}

function sourceOf(env: NodeJS.Dict<string>): Source {
  return { env: nonEmpty(env), file: readText }
}

function fileOf({ env }: Source, file: string | undefined, errors: string[]): unknown {
  const path = settingsPath(env, file)
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
