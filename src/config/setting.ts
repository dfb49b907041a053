import { OwnError } from '../logging/own-error.ts'

/** One setting: how it is read, and its documentation. */
export interface Setting<T> {
  readonly type: 'setting'
  /** Parses the raw value. Throws a {@link SettingError}. */
  readonly read: (raw: unknown, source: Source) => T
  /** The default as a raw value; `undefined`: the setting is optional and has no default. */
  readonly fallback?: unknown
  /** The sentence in the documentation. */
  readonly description: string
  /** What to write, for errors: `a time such as 10s`. */
  readonly hint: string
  /** The environment variable that sets it. */
  readonly env?: string
  /** Whether omitting it is an error. */
  readonly required?: true
  /** Whether a change needs a restart. */
  readonly restart?: true
  /** Whether its value is never shown. */
  readonly secret?: true
  /** The JSON Schema of the value in a file; default: any text. */
  readonly jsonSchema?: Readonly<Record<string, unknown>>
}

/** A group of settings, by name. An unlisted name is an error. */
export interface Group<M extends Members> {
  readonly type: 'group'
  readonly description: string
  readonly members: M
  /** Whether the group may be omitted; it is `undefined` then. */
  readonly optional?: true
}

/** Makes a group of settings. */
export function group<M extends Members>(description: string, members: M): Group<M> {
  return { type: 'group', description, members }
}

/** A list of groups or settings of one type. */
export interface ArrayOf<N extends Node> {
  readonly type: 'array'
  readonly description: string
  readonly items: N
}

/** Alternative groups, chosen by the member `kind`. */
export interface OneOf<K extends Readonly<Record<string, Group<Members>>>> {
  readonly type: 'oneOf'
  readonly description: string
  readonly kinds: K
}

export type Node = Setting<unknown> | Group<Members> | ArrayOf<Node> | OneOf<Readonly<Record<string, Group<Members>>>>
export interface Members {
  readonly [name: string]: Node
}

/** The type of the values that a schema reads. */
export type Read<N> =
  N extends Setting<infer T>
    ? T
    : N extends Group<infer M>
      ? { readonly [K in keyof M]: Read<M[K]> } | (N extends { optional: true } ? undefined : never)
      : N extends ArrayOf<infer O>
        ? readonly Read<O>[]
        : N extends OneOf<infer K>
          ? { [P in keyof K]: { readonly kind: P } & Read<K[P]> }[keyof K]
          : never

/** The source of secrets and files. */
export interface Source {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a file as text. */
  readonly file: (path: string) => string
  /** Warnings that the value of a variable may be incomplete, by its name. */
  readonly doubts?: ReadonlyMap<string, string>
}

/** The error of one setting, with the fix; several sentences for a list. Never contains a secret. */
export class SettingError extends OwnError {
  readonly sentences: readonly string[]
  constructor(...sentences: readonly string[]) {
    super(sentences.join(' '))
    this.sentences = sentences
  }
}

/** The path of a member of the group `name`. */
export function below(name: string, member: string): string {
  return name === '' ? member : `${name}.${member}`
}
