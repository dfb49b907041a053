import { bareName } from '../config/rule.ts'
import { rawSegments } from '../odata/path-segments.ts'

/** One segment of a path. */
export interface Segment {
  /** In small letters, without namespace and key. */
  readonly name: string
  readonly written: string
  /** Whether its namespace is written: a function, an action or a type. */
  readonly qualified: boolean
}

/**
 * The segments of a raw path, as rules name them; the service document counts as `$metadata`.
 * `undefined`: it cannot be read.
 */
export function segmentsOf(resourcePath: string): readonly Segment[] | undefined {
  const segments = rawSegments(resourcePath)?.filter(({ raw }) => raw !== '')
  if (segments === undefined) return undefined
  if (segments.length === 0) return [{ name: '$metadata', written: 'the service document', qualified: false }]
  try {
    return segments.map(({ plain }) => {
      const written = decodeURIComponent(plain).replace(/\(.*$/s, '')
      return { name: bareName(written), written, qualified: written.includes('.') }
    })
  } catch {
    return undefined
  }
}

/** Whether a segment may lead to another entity set: not what is `$…`, qualified, or a plain property's `/$value`. */
export function isNavigation(path: readonly Segment[], index: number): boolean {
  const { name, qualified } = path[index]!
  const isPlainProperty = index === path.length - 2 && path[index + 1]!.name === '$value'
  return index > 0 && !qualified && !name.startsWith('$') && !isPlainProperty
}
