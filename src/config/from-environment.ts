import { isJsonObject } from '../odata/json-object.ts'
import { ALL_SETTINGS, SETTING_VARIABLES } from './all-settings.ts'
import { chooseCredential } from './choose-credential.ts'
import { misspeltVariable } from './misspelt-variable.ts'
import { schema } from './schema.ts'
import { below } from './setting.ts'
import type { Node, Setting, Source } from './setting.ts'
import { unquoted } from './unquoted.ts'

/** Raw settings in the structure of the schema, and the operator's name of each setting. */
export interface RawSettings {
  readonly raw: unknown
  readonly nameOf: (name: string) => string
  /** Whether the operator's name of a setting is a variable instead of its path in the file. */
  readonly isVariable: (name: string) => boolean
}

/**
 * Prefixes of the gateway's variables: an unknown one is a mistake. The variables that Kubernetes sets for a service
 * (`DYNAMICS_PORT`) are not similar to any.
 */
const OWN_PREFIXES =
  /^(DYNAM|AZURE_(CLIENT|TENANT|AUTH|FED)|IMPERS|USER_E?MAIL|USERS?_PRE|SCHEMA_CA|REDIS_ENC|MAX_RETRY|ALLOWED_|TRUST|(REQUEST|TOKEN|SHUTDOWN)_TIME|CREDENTIAL)/
/** The variables that describe the one target of the environment. */
const TARGET_VARIABLES: ReadonlySet<string> = new Set([
  ...ALL_SETTINGS.flatMap(({ path, setting: { env } }) =>
    path.startsWith('targets[]') && env !== undefined ? [env] : [],
  ),
  'CREDENTIAL',
])

/** Variables of other tools, and their names here. */
const NAMES_ELSEWHERE: Readonly<Record<string, string>> = {
  DATAVERSE_URL: 'DYNAMICS_URL',
  DYNAMICS_BASE_URL: 'DYNAMICS_URL',
  DYNAMICS_TENANT_ID: 'AZURE_TENANT_ID',
  DYNAMICS_CLIENT_ID: 'AZURE_CLIENT_ID',
  DYNAMICS_CLIENT_SECRET: 'AZURE_CLIENT_SECRET',
}

/**
 * Converts environment variables to the structure of the settings file. The settings of the process override
 * those of `fromFile`. Without a file they describe one target. Adds contradictions to `errors`.
 *
 * @param sought a sentence that says where a missing variable was looked for, or an empty string
 * @param named variables that are not reported: a settings file names them, or they already have an error
 */
export function settingsFromEnvironment(
  source: Source,
  fromFile: unknown,
  errors: string[],
  sought = '',
  named: ReadonlySet<string> = new Set(),
): RawSettings {
  const names = new Map<string, string>()
  const raw = collect(schema, '') as Record<string, unknown>
  if (fromFile === undefined) {
    raw['targets'] = [environmentsTarget()]
  } else {
    // Platforms set AZURE_… by themselves, and a file may use them for its secrets: that is not a contradiction.
    const described = [...TARGET_VARIABLES].filter(
      (variable) => isSet(source, variable) && !variable.startsWith('AZURE_'),
    )
    if (described.length > 0) {
      errors.push(
        `${described.join(', ')}: a settings file describes the targets, ` +
          'so these variables must not be set. Remove them, or the file.',
      )
    }
  }
  misspelt()
  return {
    raw: merge(fromFile, raw),
    nameOf: (name) => names.get(name) ?? `${name} (in the settings file)`,
    isVariable: (name) => names.has(name),
  }

  /** The values of the variables for the settings below `node`, in the structure of a file. */
  function collect(node: Node, name: string): unknown {
    if (node.type === 'setting') return node.env === undefined ? undefined : valueOf(node, node.env, name)
    if (node.type !== 'group') return undefined
    const members = Object.entries(node.members).map(
      ([key, member]) => [key, collect(member, below(name, key))] as const,
    )
    const set = members.filter(([, value]) => value !== undefined)
    return set.length === 0 && name !== '' ? undefined : Object.fromEntries(set)
  }

  function environmentsTarget(): unknown {
    const { items: target } = schema.members.targets as { items: Node & { type: 'group' } }
    const { credential } = target.members as { credential: Node & { type: 'oneOf' } }
    const named = source.env['CREDENTIAL']
    const kind = chooseCredential(
      (variable) => isSet(source, variable),
      named === undefined ? undefined : unquoted(named),
      errors,
    )
    if (named === undefined && kind === 'managed-identity' && !isSet(source, 'DYNAMICS_URL')) {
      errors.push(
        'AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are missing: set them to what the app ' +
          `registration shows. (Without them a managed identity is used, where Azure provides one.)${sought}`,
      )
    }
    const rest = collect(target, 'targets[0]') as object
    if (kind === undefined) {
      // This error is reported already. Any kind without required settings allows the other errors to be found.
      return { ...rest, credential: { kind: 'managed-identity' } }
    }
    return { ...rest, credential: { kind, ...(collect(credential.kinds[kind]!, 'targets[0].credential') as object) } }
  }

  function valueOf(setting: Setting<unknown>, variable: string, name: string): unknown {
    const file = setting.secret === true ? source.env[`${variable}_FILE`] : undefined
    // A value from the file is named by its path there.
    if (fromFile === undefined || isSet(source, variable)) {
      names.set(name, file === undefined ? variable : `${variable}_FILE`)
    }
    if (setting.secret !== true) return source.env[variable]
    if (file === undefined) return source.env[variable] === undefined ? undefined : { env: variable }
    if (source.env[variable] !== undefined) {
      errors.push(`${variable} and ${variable}_FILE are both set: remove one of them.`)
    }
    return { file }
  }

  /** Errors for variables with our prefixes that misspell a known one. */
  function misspelt(): void {
    for (const variable of Object.keys(source.env)) {
      if (named.has(variable)) continue
      const other = NAMES_ELSEWHERE[variable]
      if (other !== undefined && !isSet(source, other) && fromFile === undefined) {
        errors.push(`${variable} is not a setting here: call it ${other}.`)
      } else if (OWN_PREFIXES.test(variable)) {
        // With a file, AZURE_CLIENT_SECRET_2 and the like may be those of a target that it no longer has.
        if (fromFile !== undefined && variable.startsWith('AZURE_')) continue
        const near = misspeltVariable(variable, SETTING_VARIABLES)
        if (near !== undefined && !isSet(source, near)) {
          errors.push(`${variable} is not a setting. Did you mean ${near}?`)
        }
      }
    }
  }
}

function isSet(source: Source, variable: string): boolean {
  return source.env[variable] !== undefined || source.env[`${variable}_FILE`] !== undefined
}

/** The members of `under`, overridden by those of `over`, recursively. */
function merge(base: unknown, override: unknown): unknown {
  if (!isJsonObject(base) || !isJsonObject(override)) return override ?? base
  const keys = new Set([...Object.keys(base), ...Object.keys(override)])
  return Object.fromEntries([...keys].map((key) => [key, merge(base[key], override[key])]))
}
