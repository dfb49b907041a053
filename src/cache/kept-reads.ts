import { bareName } from '../config/rule.ts'
import type { Target } from '../config/schema.ts'
import { navigationOf } from '../odata/navigation.ts'
import { pathSegments } from '../odata/resource-path.ts'
import { resourcePathOf } from '../odata/target-address.ts'
import type { TargetAddress } from '../odata/target-address.ts'
import { isSchema } from './effects.ts'

/** Why the response to a read may be kept. */
export type KeptRead =
  /** Definitions. `provable`: `RetrieveMetadataChanges` would tell of a change. */
  | { readonly kind: 'schema'; readonly provable: boolean }
  /** Rows of an entity set that the settings list; no `entitySet`: rows of others may show in them. */
  | { readonly kind: 'rows'; readonly entitySet: string | undefined; readonly maxAge: number; readonly shared: boolean }
  /** One row, which Dynamics is asked about each time. */
  | { readonly kind: 'row'; readonly entitySet: string }

/** Says which reads are kept, from their path and query at the target and their `Prefer`. */
export type KeptReads = (path: string, prefer: string | undefined) => KeptRead | undefined

/** What of the settings of a target decides it. */
type Settings = Pick<Target, 'schemaCache' | 'reads'>

/** The reads that `settings` let the gateway keep; `undefined` where there are none. */
export function keptReads(settings: Settings, address: TargetAddress): KeptReads | undefined {
  const { schemaCache, reads } = settings
  const listed = new Map(
    reads.keep.flatMap(({ entitySets, for: maxAge, shared }) =>
      entitySets.map((name) => [name.toLowerCase(), { maxAge, shared }] as const),
    ),
  )
  const keepsRows = listed.size > 0 || reads.revalidate
  if (!keepsRows && schemaCache === 0) return undefined

  return (path, prefer) => {
    const mark = path.indexOf('?')
    const resourcePath = resourcePathOf(address, mark === -1 ? path : path.slice(0, mark))
    if (resourcePath === undefined || (!keepsRows && !LIKE_SCHEMA.test(resourcePath))) return undefined
    const segments = pathSegments(resourcePath || '/')
    const first = segments?.[0]
    if (first === undefined) return undefined
    const name = first.name.toLowerCase()
    if (isSchema(name)) {
      return schemaCache === 0 ? undefined : { kind: 'schema', provable: !OPTION_SETS.test(path) }
    }
    const entitySet = bareName(name)
    const rule = listed.get(entitySet)
    const isRow = first.hasParentheses && segments!.length === 1
    if (rule === undefined && !(reads.revalidate && isRow)) return undefined
    // What leads to other tables would have to be dropped with theirs.
    const isPlain = segments!.length === 1 || (segments!.length === 2 && segments![1]!.name === '$count')
    const query = mark === -1 ? '' : path.slice(mark)
    if (!isPlain || leadsElsewhere(query) || followsChanges(path, prefer)) return undefined
    const isAnnotated = prefer !== undefined && /annotations/i.test(prefer)
    if (rule !== undefined) {
      const { maxAge, shared } = rule
      const isForAll = shared && !isAnnotated && !FUNCTION.test(decodeURIComponent(query))
      // A lookup is annotated with the name of the row that it refers to.
      return { kind: 'rows', entitySet: isAnnotated ? undefined : entitySet, maxAge, shared: isForAll }
    }
    // Dynamics answers no 304 where it adds annotations.
    return isAnnotated ? undefined : { kind: 'row', entitySet }
  }
}

/** Cheaper than reading the path; `%24` is how some clients write `$`. */
const LIKE_SCHEMA = /^\/+(?:\$|%24)?[a-z%\d]*(?:metadata|definitions)/i

/**
 * A function of Dynamics. Many mean the user who asks, such as `EqualUserId`, or that user's time zone, such as `Today`;
 * annotations are in the user's language.
 */
const FUNCTION = /\.\w+[\s+]*\(/

/** Options of a global choice are not covered by `RetrieveMetadataChanges`. */
const OPTION_SETS = /option/i

function leadsElsewhere(query: string): boolean {
  if (query.length < 2) return false
  const navigation = navigationOf(query)
  return navigation === undefined || navigation.names.length > 0 || navigation.query !== undefined
}

/** A client that asks what has changed since expects to hear of it. */
function followsChanges(path: string, prefer: string | undefined): boolean {
  return /deltatoken/i.test(path) || (prefer !== undefined && /track-changes/i.test(prefer))
}
