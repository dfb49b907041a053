import { OwnError } from '../own-error.ts'
import { leftoverIn } from './leftover.ts'
import { nearest } from './nearest.ts'

/** One thing an operator may set: how it is read, and all that is to be said of it. */
export interface Setting<T> {
  readonly type: 'setting'
  /** Turns what was written into what the gateway works with. Throws a {@link Fault}. */
  readonly read: (written: unknown, from: Source) => T
  /** As it would be written; `undefined`: the setting may be left out, and has no value then. */
  readonly fallback?: unknown
  /** The sentence in the documentation. */
  readonly about: string
  /** What to write, for faults: `a whole number of seconds`. */
  readonly write: string
  /** The environment variable that sets it. */
  readonly env?: string
  /** Leaving it out is a fault. */
  readonly required?: true
  /** A change counts from the next start on: the process was started with it. */
  readonly restart?: true
  /** Never shown. */
  readonly secret?: true
  /** What a file may hold here, in JSON Schema's words; left out, any text. */
  readonly form?: Readonly<Record<string, unknown>>
}

/** Settings that belong together, by name; a name that is not listed is a fault. */
export interface Group<M extends Members> {
  readonly type: 'group'
  readonly about: string
  readonly members: M
  /** The whole group may be left out, and is `undefined` then. */
  readonly optional?: true
}

/** Settings that belong together. */
export function group<M extends Members>(about: string, members: M): Group<M> {
  return { type: 'group', about, members }
}

/** Any number of groups or settings of one form. */
export interface Many<N extends Node> {
  readonly type: 'many'
  readonly about: string
  readonly of: N
}

/** Groups of different forms; the member `kind` tells which. */
export interface Kinds<K extends Readonly<Record<string, Group<Members>>>> {
  readonly type: 'kinds'
  readonly about: string
  readonly kinds: K
}

export type Node = Setting<unknown> | Group<Members> | Many<Node> | Kinds<Readonly<Record<string, Group<Members>>>>
export interface Members {
  readonly [name: string]: Node
}

/** The type of what a schema reads. */
export type Read<N> =
  N extends Setting<infer T>
    ? T
    : N extends Group<infer M>
      ? { readonly [K in keyof M]: Read<M[K]> } | (N extends { optional: true } ? undefined : never)
      : N extends Many<infer O>
        ? readonly Read<O>[]
        : N extends Kinds<infer K>
          ? { [P in keyof K]: { readonly kind: P } & Read<K[P]> }[keyof K]
          : never

/** Where secrets and files are read from. */
export interface Source {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a file as text. */
  readonly file: (path: string) => string
  /** What makes it doubtful that a variable holds what was meant, by its name: a sentence. */
  readonly doubts?: ReadonlyMap<string, string>
}

/** What is wrong with one setting, and what to write instead; several sentences of a list. Never holds a secret. */
export class Fault extends OwnError {
  readonly sentences: readonly string[]
  constructor(...sentences: readonly string[]) {
    super(sentences.join(' '))
    this.sentences = sentences
  }
}

/** What readers of settings have in common. */
export interface Reading {
  readonly from: Source
  /** What an operator calls a setting. */
  readonly nameOf: (name: string) => string
  /** What a name that is not a setting was meant to be, beside the settings of its own group. */
  readonly meant?: (key: string, group: string) => string | undefined
  /** Where a setting that is missing was looked for: a sentence, or nothing. */
  readonly soughtIn?: (name: string) => string
  /** Every fault is added here. */
  readonly faults: string[]
}

/**
 * Reads `written` as `node` says and adds every fault, by name, to `faults`.
 * What it returns may only be used when no fault was added.
 */
export function readNode<N extends Node>(node: N, written: unknown, reading: Reading): Read<N> {
  const { from, nameOf, meant, soughtIn, faults } = reading
  return read(node, written, '') as Read<N>

  function read(node: Node, written: unknown, name: string): unknown {
    switch (node.type) {
      case 'setting':
        return readSetting(node, written, name)
      case 'many':
        return readMany(node, written, name)
      case 'group':
        return written === undefined && node.optional ? undefined : readGroup(node, written ?? {}, name, [])
      case 'kinds':
        return readKinds(node, written, name)
    }
  }

  function readSetting(setting: Setting<unknown>, written: unknown, name: string): unknown {
    const value = written ?? setting.fallback
    if (value === undefined) {
      if (setting.required) {
        faults.push(`${nameOf(name)} is missing: ${setting.about} Write ${setting.write}.${soughtIn?.(name) ?? ''}`)
      }
      return undefined
    }
    try {
      refuseLeftovers(setting, value)
      return setting.read(value, from)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      faults.push(...error.sentences.map((sentence) => `${nameOf(name)} ${sentence}`))
      return undefined
    }
  }

  function readMany(many: Many<Node>, written: unknown, name: string): unknown {
    if (written === undefined) return []
    if (!Array.isArray(written)) {
      faults.push(`${nameOf(name)} must be a list: ${many.about}`)
      return []
    }
    return written.map((one, index) => read(many.of, one, `${name}[${index}]`))
  }

  function readGroup(group: Group<Members>, written: unknown, name: string, also: readonly string[]): unknown {
    if (typeof written !== 'object' || written === null || Array.isArray(written)) {
      faults.push(`${nameOf(name)} must hold named settings: ${group.about}`)
      return undefined
    }
    const values = written as Readonly<Record<string, unknown>>
    for (const key of Object.keys(values)) {
      if (Object.hasOwn(group.members, key) || also.includes(key)) continue
      const near = meant?.(key, name) ?? nearest(key, Object.keys(group.members))
      faults.push(`${nameOf(below(name, key))} is not a setting.${near === undefined ? '' : ` Did you mean ${near}?`}`)
    }
    return Object.fromEntries(
      Object.entries(group.members).map(([key, member]) => [
        key,
        read(member, values[key] ?? undefined, below(name, key)),
      ]),
    )
  }

  function readKinds(kinds: Kinds<Readonly<Record<string, Group<Members>>>>, written: unknown, name: string): unknown {
    const kind = (written as { kind?: unknown } | undefined)?.kind
    const group = typeof kind === 'string' && Object.hasOwn(kinds.kinds, kind) ? kinds.kinds[kind] : undefined
    if (group === undefined) {
      const known = Object.keys(kinds.kinds).join(', ')
      faults.push(
        `${nameOf(below(name, 'kind'))} ${kind === undefined ? 'is missing' : 'is not known'}: ` +
          `write one of ${known}.`,
      )
      return undefined
    }
    return { kind, ...(readGroup(group, written, name, ['kind']) as object) }
  }
}

/** Refuses what templates, pages and text programs leave in a value. A secret is looked at where it is read. */
function refuseLeftovers({ write, secret, form }: Setting<unknown>, value: unknown): void {
  if (secret === true) return
  const texts = (Array.isArray(value) ? value : [value]).filter((text) => typeof text === 'string')
  const parts = form?.['type'] === 'array' ? texts.flatMap((text) => text.split(',')) : texts
  for (const part of parts) {
    const left = leftoverIn(part)
    if (left !== undefined) throw new Fault(`holds ${left}: write ${write}.`)
  }
}

/** The name of a member of the group `name`. */
export function below(name: string, member: string): string {
  return name === '' ? member : `${name}.${member}`
}
