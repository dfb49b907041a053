import { rethrowUnless } from '../logging/rethrow-unless.ts'
import { isJsonObject } from '../odata/json-object.ts'
import { closestWord } from './closest-word.ts'
import { placeholderIn } from './placeholders.ts'
import { below, SettingError } from './setting.ts'
import type { ArrayOf, Group, Members, Node, OneOf, Read, Setting, Source } from './setting.ts'
import { suggestKey } from './suggest-key.ts'
import { orList } from './word-list.ts'

/** What reading a tree of settings needs besides the values. */
export interface ReadContext {
  readonly source: Source
  /** The name of a setting for operators: a variable, or a path in the file. */
  readonly nameOf: (name: string) => string
  /** A sentence that says where a missing setting was looked for, or an empty string. */
  readonly searchedIn?: (name: string) => string
  /** Receives every error. */
  readonly errors: string[]
}

/** The path of a value in the settings: `targets[0].url`. */
type SettingPosition = ReadContext & { readonly name: string }

/**
 * Reads `raw` as `node` describes, and adds every error to `context.errors`. The result may only be used if no error
 * was added.
 */
export function readNode<N extends Node>(node: N, raw: unknown, context: ReadContext): Read<N> {
  return readAny(node, raw, { ...context, name: '' }) as Read<N>
}

function readAny(node: Node, raw: unknown, position: SettingPosition): unknown {
  switch (node.type) {
    case 'setting':
      return readSetting(node, raw, position)
    case 'array':
      return readArray(node, raw, position)
    case 'group':
      return raw === undefined && node.optional ? undefined : readGroup(node, raw ?? {}, [], position)
    case 'oneOf':
      return readOneOf(node, raw, position)
  }
}

function readSetting(setting: Setting<unknown>, raw: unknown, position: SettingPosition): unknown {
  const { name, nameOf, searchedIn, source, errors } = position
  const value = raw ?? setting.fallback
  if (value === undefined) {
    if (setting.required) {
      errors.push(
        `${nameOf(name)} is missing: ${setting.description} Write ${setting.hint}.${searchedIn?.(name) ?? ''}`,
      )
    }
    return undefined
  }
  try {
    refusePlaceholders(setting, value)
    return setting.read(value, source)
  } catch (error) {
    rethrowUnless(error, SettingError)
    errors.push(...error.sentences.map((sentence) => `${nameOf(name)} ${sentence}`))
    return undefined
  }
}

function readArray({ description, items }: ArrayOf<Node>, raw: unknown, position: SettingPosition): unknown {
  const { name, nameOf, errors } = position
  if (raw === undefined) return []
  if (!Array.isArray(raw)) {
    errors.push(`${nameOf(name)} must be a list: ${description}`)
    return []
  }
  return raw.map((item, index) => readAny(items, item, { ...position, name: `${name}[${index}]` }))
}

/** @param also names that are allowed besides the members of the group */
function readGroup(
  { description, members }: Group<Members>,
  raw: unknown,
  also: readonly string[],
  position: SettingPosition,
): unknown {
  const { name, nameOf, errors } = position
  if (!isJsonObject(raw)) {
    errors.push(`${nameOf(name)} must hold named settings: ${description}`)
    return undefined
  }
  for (const key of Object.keys(raw)) {
    if (Object.hasOwn(members, key) || also.includes(key)) continue
    const known = [...Object.keys(members), ...also]
    errors.push(`${nameOf(below(name, key))} is not a setting.${question(suggestKey(key, name, known))}`)
  }
  return Object.fromEntries(
    Object.entries(members).map(([key, member]) => {
      const inner = { ...position, name: below(name, key) }
      if (raw[key] !== null) return [key, readAny(member, raw[key], inner)]
      // A default would open what somebody meant to restrict: `users` of which all lines are comments is not `*`.
      errors.push(`${nameOf(inner.name)} is empty: write a value, or remove the line.`)
      return [key, undefined]
    }),
  )
}

function readOneOf(
  { kinds }: OneOf<Readonly<Record<string, Group<Members>>>>,
  raw: unknown,
  position: SettingPosition,
): unknown {
  const { name, nameOf, errors } = position
  const values = isJsonObject(raw) ? raw : {}
  const kind = values['kind']
  const group = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  if (typeof kind !== 'string' || group === undefined) {
    const misspelt = kind === undefined ? closestWord('kind', Object.keys(values), 1) : undefined
    errors.push(
      misspelt === undefined
        ? `${nameOf(below(name, 'kind'))} ${kindFault(kind, Object.keys(kinds))}`
        : `${nameOf(below(name, misspelt))} is not a setting.${question('kind')}`,
    )
    return undefined
  }
  const unknown = Object.keys(values).filter((key) => key !== 'kind' && !Object.hasOwn(group.members, key))
  const ofOthers = unknown.flatMap((key) => {
    const owners = Object.keys(kinds).filter((other) => Object.hasOwn(kinds[other]!.members, key))
    if (owners.length === 0) return []
    errors.push(`${nameOf(below(name, key))} is not a setting of ${kind}, but of ${orList(owners)}.`)
    return [key]
  })
  return { kind, ...(readGroup(group, values, ['kind', ...ofOthers], position) as object) }
}

function kindFault(kind: unknown, kinds: readonly string[]): string {
  if (kind === undefined) return `is missing: write one of ${kinds.join(', ')}.`
  return `is not known: write one of ${kinds.join(', ')}.${question(closestWord(String(kind), kinds))}`
}

function question(suggestion: string | undefined): string {
  return suggestion === undefined ? '' : ` Did you mean ${suggestion}?`
}

/** Refuses leftovers of templates, web pages and word processors. A secret is checked where it is read. */
function refusePlaceholders({ hint, secret, jsonSchema }: Setting<unknown>, value: unknown): void {
  if (secret === true) return
  const texts = (Array.isArray(value) ? value : [value]).filter((text) => typeof text === 'string')
  const parts = jsonSchema?.['type'] === 'array' ? texts.flatMap((text) => text.split(',')) : texts
  for (const part of parts) {
    const placeholder = placeholderIn(part)
    if (placeholder !== undefined) throw new SettingError(`holds ${placeholder}: write ${hint}.`)
  }
}
