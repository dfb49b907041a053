import { OwnError } from '../own-error.ts'

/** One thing an operator may set: how it is read, and all that is to be said of it. */
export interface Setting<T> {
  readonly type: 'setting'
  /** Turns what was written into what the gateway works with. Throws a {@link SettingError}. */
  readonly read: (raw: unknown, source: Source) => T
  /** As it would be written; `undefined`: the setting may be left out, and has no value then. */
  readonly fallback?: unknown
  /** The sentence in the documentation. */
  readonly description: string
  /** What to write, for errors: `a whole number of seconds`. */
  readonly hint: string
  /** The environment variable that sets it. */
  readonly env?: string
  /** Leaving it out is an error. */
  readonly required?: true
  /** A change counts from the next start on: the process was started with it. */
  readonly restart?: true
  /** Never shown. */
  readonly secret?: true
  /** What a file may hold here, in JSON Schema's words; left out, any text. */
  readonly jsonSchema?: Readonly<Record<string, unknown>>
}

/** Settings that belong together, by name; a name that is not listed is an error. */
export interface Group<M extends Members> {
  readonly type: 'group'
  readonly description: string
  readonly members: M
  /** The group may be left out, and is `undefined` then. */
  readonly optional?: true
}

/** Settings that belong together. */
export function group<M extends Members>(description: string, members: M): Group<M> {
  return { type: 'group', description, members }
}

/** Any number of groups or settings of one form. */
export interface ArrayOf<N extends Node> {
  readonly type: 'array'
  readonly description: string
  readonly items: N
}

/** Groups of different forms; the member `kind` tells which. */
export interface OneOf<K extends Readonly<Record<string, Group<Members>>>> {
  readonly type: 'oneOf'
  readonly description: string
  readonly kinds: K
}

export type Node = Setting<unknown> | Group<Members> | ArrayOf<Node> | OneOf<Readonly<Record<string, Group<Members>>>>
export interface Members {
  readonly [name: string]: Node
}

/** The type of what a schema reads. */
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

/** Where secrets and files are read from. */
export interface Source {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a file as text. */
  readonly file: (path: string) => string
  /** What makes it doubtful that a variable holds what was meant, by its name: a sentence. */
  readonly doubts?: ReadonlyMap<string, string>
}

/** What is wrong with one setting, and what to write instead; several sentences of a list. Never holds a secret. */
export class SettingError extends OwnError {
  readonly sentences: readonly string[]
  constructor(...sentences: readonly string[]) {
    super(sentences.join(' '))
    this.sentences = sentences
  }
}

/** The name of a member of the group `name`. */
export function below(name: string, member: string): string {
  return name === '' ? member : `${name}.${member}`
}
