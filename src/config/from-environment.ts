import { EXTRA_VARIABLES } from './all-settings.ts'
import { chooseCredential } from './choose-credential.ts'
import { closestWord } from './closest-word.ts'
import { schema } from './schema.ts'
import { below } from './setting.ts'
import type { Node, Setting, Source } from './setting.ts'
import { unquoted } from './unquoted.ts'

/** Settings as they were written, in the schema's form, and what an operator calls each of them. */
export interface RawSettings {
  readonly raw: unknown
  readonly nameOf: (name: string) => string
  /** Whether a setting is called by a variable, and not by its place in the file. */
  readonly isVariable: (name: string) => boolean
}

/**
 * Variables of ours, so that one which is none is a mistake. Names that Kubernetes makes of a service (`DYNAMICS_PORT`)
 * are not close to any.
 */
const OURS =
  /^(DYNAM|AZURE_(CLIENT|TENANT|AUTH|FED)|IMPERS|USER_E?MAIL|MAX_RETRY|ALLOWED_|TRUST|(REQUEST|TOKEN|SHUTDOWN)_TIME|CREDENTIAL)/
/** The most letters in which a misspelt variable differs from a known one. */
const MAX_TYPOS = 3

/** Variables that people use for other tools, and what they are called here. */
const CALLED_ELSEWHERE: Readonly<Record<string, string>> = {
  DATAVERSE_URL: 'DYNAMICS_URL',
  DYNAMICS_BASE_URL: 'DYNAMICS_URL',
  DYNAMICS_TENANT_ID: 'AZURE_TENANT_ID',
  DYNAMICS_CLIENT_ID: 'AZURE_CLIENT_ID',
  DYNAMICS_CLIENT_SECRET: 'AZURE_CLIENT_SECRET',
}

/**
 * Puts what the environment says into the form of the settings file: the process' own settings over
 * those of `fromFile`, and one target where there is no file. Adds to `errors` what is described twice.
 *
 * @param sought where a variable that is missing was looked for: a sentence, or nothing
 * @param told variables whose names were looked at already
 */
export function settingsFromEnvironment(
  source: Source,
  fromFile: unknown,
  errors: string[],
  sought = '',
  told: ReadonlySet<string> = new Set(),
): RawSettings {
  const names = new Map<string, string>()
  const variables = new Set<string>(EXTRA_VARIABLES)
  const raw = collect(schema, '') as Record<string, unknown>
  if (fromFile === undefined) {
    raw['targets'] = [environmentsTarget()]
  } else {
    // Platforms set AZURE_… by themselves, and a file may name them for its secrets: they are no contradiction.
    const described = [...targetVariables(), 'CREDENTIAL'].filter(
      (variable) => isSet(source, variable) && !variable.startsWith('AZURE_'),
    )
    if (described.length > 0) {
      errors.push(
        `${described.join(', ')}: a settings file describes the targets, ` +
          'so these variables must not be set. Remove them, or the file.',
      )
    }
  }
  if (isSet(source, 'REDIS_URL')) {
    errors.push('REDIS_URL is not a setting of this version, which remembers users in memory only: remove it.')
  }
  misspelt()
  return {
    raw: merge(fromFile, raw),
    nameOf: (name) => names.get(name) ?? (fromFile === undefined ? name : `${name} (in the settings file)`),
    isVariable: (name) => names.has(name),
  }

  /** What the variables of the settings below `node` say, in the form that a file has. */
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
    for (const kind of Object.values(credential.kinds)) for (const member of Object.values(kind.members)) note(member)
    const named = source.env['CREDENTIAL']
    const kind = chooseCredential(
      (variable) => isSet(source, variable),
      named === undefined ? undefined : unquoted(named),
      errors,
    )
    if (named === undefined && kind === 'managed-identity' && !isSet(source, 'DYNAMICS_URL')) {
      errors.push(
        'AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are missing: set them to what the app ' +
          `registration shows. (Without them a managed identity is used, where Azure gives one.)${sought}`,
      )
    }
    const rest = collect(target, 'targets[0]') as object
    if (kind === undefined) {
      // The fault is named already; so that the others are found too, any kind that asks for no more will do.
      return { ...rest, credential: { kind: 'managed-identity' } }
    }
    return { ...rest, credential: { kind, ...(collect(credential.kinds[kind]!, 'targets[0].credential') as object) } }
  }

  function valueOf(setting: Setting<unknown>, variable: string, name: string): unknown {
    const file = setting.secret === true ? source.env[`${variable}_FILE`] : undefined
    // What only the file says is called as it is there.
    if (fromFile === undefined || isSet(source, variable)) {
      names.set(name, file === undefined ? variable : `${variable}_FILE`)
    }
    note(setting)
    if (setting.secret !== true) return source.env[variable]
    if (file === undefined) return source.env[variable] === undefined ? undefined : { env: variable }
    if (source.env[variable] !== undefined) {
      errors.push(`${variable} and ${variable}_FILE are both set: remove one of them.`)
    }
    return { file }
  }

  function note(node: Node): void {
    if (node.type !== 'setting' || node.env === undefined) return
    variables.add(node.env)
    if (node.secret === true) variables.add(`${node.env}_FILE`)
  }

  function targetVariables(): Set<string> {
    const before = new Set(variables)
    const [at, called] = [errors.length, new Map(names)]
    environmentsTarget()
    // It was asked for its variables only: a target of the file is not called by them.
    errors.length = at
    names.clear()
    for (const [name, variable] of called) names.set(name, variable)
    return new Set([...variables].filter((variable) => !before.has(variable)))
  }

  /** A variable of our own families that differs from a known one by a letter or two. */
  function misspelt(): void {
    for (const variable of Object.keys(source.env)) {
      if (variables.has(variable) || told.has(variable)) continue
      const other = CALLED_ELSEWHERE[variable]
      if (other !== undefined && !isSet(source, other) && fromFile === undefined) {
        errors.push(`${variable} is not a setting here: call it ${other}.`)
      } else if (OURS.test(variable)) {
        // With a file, AZURE_CLIENT_SECRET_2 and the like are what its secrets come from.
        if (fromFile !== undefined && variable.startsWith('AZURE_')) continue
        const near = closestWord(variable, [...variables], MAX_TYPOS)
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

/** `over` on top of `under`, member by member. */
function merge(under: unknown, over: unknown): unknown {
  if (!isGroup(under) || !isGroup(over)) return over ?? under
  const keys = new Set([...Object.keys(under), ...Object.keys(over)])
  return Object.fromEntries([...keys].map((key) => [key, merge(under[key], over[key])]))
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
