import { bareName } from '../config/rule.ts'
import { pathSegments } from '../odata/resource-path.ts'

/** One segment of a path. */
export interface Segment {
  /** In lower case, without namespace and key. */
  readonly name: string
  readonly written: string
  /** Whether its namespace is written: a function, an action or a type. */
  readonly qualified: boolean
  /** Whether a key or parameters follow it. */
  readonly hasParentheses: boolean
}

const SERVICE_DOCUMENT: Segment = {
  name: '$metadata',
  written: 'the service document',
  qualified: false,
  hasParentheses: false,
}

/**
 * The segments of a raw path, in the form of rules; the service document counts as `$metadata`.
 * `undefined`: the path is invalid.
 */
export function segmentsOf(resourcePath: string): readonly Segment[] | undefined {
  const segments = pathSegments(resourcePath === '' ? '/' : resourcePath)
  if (segments?.length === 0) return [SERVICE_DOCUMENT]
  return segments?.map(({ name, hasParentheses }) => ({
    name: bareName(name),
    written: name,
    qualified: name.includes('.'),
    hasParentheses,
  }))
}

/**
 * Whether a segment may refer to another entity set: not a qualified name, a property's `/$value`, or a name that is
 * known not to.
 */
export function isNavigation(path: readonly Segment[], index: number): boolean {
  const { name, qualified, hasParentheses } = path[index]!
  const isPlainProperty = !hasParentheses && index === path.length - 2 && path[index + 1]!.name === '$value'
  return index > 0 && !qualified && !LEADS_NOWHERE.has(name) && !isPlainProperty
}

/** What may stand behind a resource; all else that begins with `$` is named, or refused. */
const LEADS_NOWHERE: ReadonlySet<string> = new Set(['$value', '$ref', '$count', '$links', '$query'])
