import { isRead, METHODS } from '../odata/methods.ts'
import { nearest } from './nearest.ts'
import { Fault } from './setting.ts'

/** What a caller may do, or may not. */
export type Rule = Preset | Permission

/** One of the usual rules, by its name. */
export interface Preset {
  readonly text: string
  readonly effect: (typeof PRESETS)[number]
}

/** `allow GET accounts`, `deny * annotations`. */
export interface Permission {
  readonly text: string
  readonly effect: 'allow' | 'deny'
  /** `undefined`: any. HEAD and OPTIONS are taken for GET. */
  readonly methods: ReadonlySet<string> | undefined
  readonly names: readonly Name[]
}

/** What a rule names: an entity set, a function or action, or what lies below an entity set. */
export interface Name {
  /** In small letters, without namespace; `*` for any. */
  readonly first: string
  /** The navigation property or property below, in small letters; `*` for any; `undefined`: not below. */
  readonly below: string | undefined
  /** Whether only a function or action can be meant: written with its namespace, or with `()`. */
  readonly operation: boolean
}

/** The usual rules, by their names. */
export const PRESETS = ['read-only', 'no-delete', 'no-metadata-writes'] as const

const FORM = `write ${PRESETS.join(', ')}, or allow or deny with methods and names, such as allow GET,POST accounts`

/** Reads one rule. Throws a {@link Fault} that says what is wrong with it. */
export function parseRule(written: string): Rule {
  const text = written.trim().replace(/\s+/g, ' ')
  const preset = PRESETS.find((name) => name === text)
  if (preset !== undefined) return { text, effect: preset }

  const [effect, methods, names, ...rest] = text.split(' ')
  if (effect !== 'allow' && effect !== 'deny') {
    const near = nearest(text, PRESETS)
    throw new Fault(
      `holds the rule "${text}", which is not known: ` + (near === undefined ? FORM : `did you mean ${near}?`),
    )
  }
  if (methods === undefined || names === undefined || rest.length > 0) {
    throw new Fault(`holds the rule "${text}", which is not complete: ${FORM}.`)
  }
  return {
    text,
    effect,
    methods: methods === '*' ? undefined : parseMethods(methods, text),
    names: names.split(',').map((name) => parseName(name, text)),
  }
}

function parseMethods(written: string, text: string): ReadonlySet<string> {
  return new Set(
    written.split(',').map((method) => {
      if (!METHODS.includes(method)) {
        throw new Fault(
          `holds the rule "${text}", whose method "${method}" is not known: write * or ${METHODS.join(', ')}.`,
        )
      }
      return isRead(method) ? 'GET' : method
    }),
  )
}

function parseName(written: string, text: string): Name {
  const [, first, parentheses, below] = /^(\*|\$?[\w.]+)(\(\))?(?:\/(\*|[\w.]+))?$/.exec(written) ?? []
  if (first === undefined || (below !== undefined && (first === '*' || parentheses !== undefined))) {
    throw new Fault(
      `holds the rule "${text}", whose name "${written}" has no known form: ` +
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

/** A name in small letters, without its namespace. */
export function bareName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).toLowerCase()
}
