import { isRead, METHODS } from '../odata/methods.ts'
import { closestWord } from './closest-word.ts'
import { SettingError } from './setting.ts'
import { andList } from './word-list.ts'

/** One rule on what a caller may do. */
export type Rule = Preset | Permission

/** A predefined rule, by its name. */
export interface Preset {
  readonly text: string
  readonly effect: (typeof PRESETS)[number]
}

/** `allow GET accounts`, `deny * annotations`. */
export interface Permission {
  readonly text: string
  readonly effect: 'allow' | 'deny'
  /** `undefined`: any. HEAD and OPTIONS count as GET. */
  readonly methods: ReadonlySet<string> | undefined
  readonly names: readonly Name[]
}

/** The object of a rule: an entity set, a function or action, or a property of an entity set. */
export interface Name {
  /** In lower case, without namespace; `*` for any. */
  readonly first: string
  /** The navigation property or property below, in lower case; `*` for any; `undefined`: not below. */
  readonly below: string | undefined
  /** Whether only a function or action can be meant: written with its namespace, or with `()`. */
  readonly operation: boolean
}

/** The names of the predefined rules. */
export const PRESETS = ['read-only', 'no-delete', 'no-metadata-writes'] as const

const RULE_HINT = `write ${PRESETS.join(', ')}, or allow or deny with methods and names, such as allow GET,POST accounts`

/** Reads one rule. Throws a {@link SettingError} that says what is invalid. */
export function parseRule(raw: string): Rule {
  const text = raw.trim().replace(/\s+/g, ' ')
  const preset = PRESETS.find((name) => name === text)
  if (preset !== undefined) return { text, effect: preset }

  const [effect, methods, names, ...rest] = text.split(' ')
  if (effect !== 'allow' && effect !== 'deny') {
    const near = closestWord(text, PRESETS)
    throw new SettingError(
      `holds the rule "${text}", which is not known: ` + (near === undefined ? RULE_HINT : `did you mean ${near}?`),
    )
  }
  if (methods === undefined || names === undefined || rest.length > 0) {
    throw new SettingError(`holds the rule "${text}", which is not complete: ${RULE_HINT}.`)
  }
  return {
    text,
    effect,
    methods: methods === '*' ? undefined : parseMethods(methods, text),
    names: names.split(',').map((name) => parseName(name, text)),
  }
}

function parseMethods(raw: string, text: string): ReadonlySet<string> {
  const methods = raw.split(',')
  const unknown = methods.filter((method) => !METHODS.includes(method))
  if (unknown.length > 0) {
    const names = andList(unknown.map((method) => `"${method}"`))
    throw new SettingError(
      `holds the rule "${text}", whose ${unknown.length === 1 ? `method ${names} is` : `methods ${names} are`} ` +
        `not known: write * or ${METHODS.join(', ')}.`,
    )
  }
  return new Set(methods.map(kindOf))
}

function parseName(raw: string, text: string): Name {
  const [, first, parentheses, below] = /^(\*|\$?[\w.]+)(\(\))?(?:\/(\*|[\w.]+))?$/.exec(raw) ?? []
  if (first === undefined || (below !== undefined && (first === '*' || parentheses !== undefined))) {
    throw new SettingError(
      `holds the rule "${text}", whose name "${raw}" has no known form: ` +
        'write *, accounts, accounts/*, accounts/primarycontactid, ' +
        'WinOpportunity() or $metadata.',
    )
  }
  return {
    first: bareName(first),
    below: below === undefined ? undefined : bareName(below),
    operation: below === undefined && (parentheses !== undefined || first.includes('.')),
  }
}

/** The method for rules: HEAD and OPTIONS count as GET. */
export function kindOf(method: string): string {
  return isRead(method) ? 'GET' : method
}

/** A name in lower case, without its namespace. */
export function bareName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).toLowerCase()
}
