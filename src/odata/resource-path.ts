import { rawSegments } from './path-segments.ts'

/** What a policy needs to know of a resource path. */
export interface ResourcePath {
  /** The name that it starts with: an entity set, a function or action, `$batch`; empty for the service itself. */
  readonly first: string
  /**
   * Every name in it, decoded, in order and without what stands in parentheses: entity set, navigation properties,
   * columns, functions and actions as they are written, and what `$crossjoin` names. Not `$ref` and its like.
   */
  readonly names: readonly string[]
  /** Names of functions, actions and types that are written with their namespace, without it: `WinOpportunity`. */
  readonly qualified: readonly string[]
  /** `$ref`, `$value`, `$count` and their like, decoded, in order. */
  readonly system: readonly string[]
}

/**
 * Reads a resource path, each segment decoded once; quoted keys are data.
 *
 * @param path raw, below the API root, without the query, and found safe by `unsafePath`
 */
export function resourcePath(path: string): ResourcePath {
  const segments = (rawSegments(path) ?? []).map(({ plain }) => decodeURIComponent(plain)).filter((text) => text !== '')
  const names = segments.flatMap((text) => /^\$crossjoin\((.*)\)$/.exec(text)?.[1]?.split(',') ?? [nameOf(text)])
  const plain = names.filter((name) => !name.startsWith('$'))
  return {
    first: nameOf(segments[0] ?? ''),
    names: plain,
    qualified: plain.filter((name) => name.includes('.')).map((name) => name.slice(name.lastIndexOf('.') + 1)),
    system: segments.map(nameOf).filter((name) => name.startsWith('$')),
  }
}

function nameOf(segment: string): string {
  return segment.replace(/\(.*/s, '')
}

/** The name that a resource path starts with, decoded: an entity set, a function or action, `$batch`. */
export function entitySetOf(path: string): string {
  return resourcePath(path).first
}
