import { bareName } from '../config/rule.ts'
import type { Target } from '../config/schema.ts'
import type { OutboundRequest } from '../dynamics/send.ts'
import { cachedByText } from '../odata/cached-by-text.ts'
import { navigationOf } from '../odata/navigation.ts'
import { pathSegments } from '../odata/resource-path.ts'
import type { PathSegment } from '../odata/resource-path.ts'
import { resourcePathOf } from '../odata/target-address.ts'
import type { TargetAddress } from '../odata/target-address.ts'
import { isSchema } from './effects.ts'
import { requestHeader } from './request-with.ts'

/** The rule by which the response to a read is cached. */
export type CacheRule =
  /** Definitions. `isConfirmable`: `RetrieveMetadataChanges` would report a change. */
  | { readonly kind: 'schema'; readonly isConfirmable: boolean }
  /** Rows of an entity set that the settings list. No `entitySet`: the response may contain data of other tables. */
  | { readonly kind: 'rows'; readonly entitySet: string | undefined; readonly maxAge: number; readonly shared: boolean }
  /** One row. Dynamics is asked each time whether it has changed. */
  | { readonly kind: 'row'; readonly entitySet: string }

/** Finds the rule for a read, by its path and query at the target and its `Prefer` header. */
export type CacheRules = (request: Pick<OutboundRequest, 'path' | 'headers'>) => CacheRule | undefined

/** The settings of a target that define the rules. */
type Settings = Pick<Target, 'schemaCache' | 'reads'>

/** The cache rules in `settings`; `undefined` if they allow no caching. */
export function cacheRules(settings: Settings, address: TargetAddress): CacheRules | undefined {
  const { schemaCache, reads } = settings
  const listed = new Map(
    reads.keep.flatMap(({ entitySets, for: maxAge, shared }) =>
      entitySets.map((name) => [name.toLowerCase(), { maxAge, shared }] as const),
    ),
  )
  const cachesRows = listed.size > 0 || reads.revalidate
  if (!cachesRows && schemaCache === 0) return undefined

  return (request) => {
    const { path } = request
    const queryStart = path.indexOf('?')
    const resourcePath = resourcePathOf(address, queryStart === -1 ? path : path.slice(0, queryStart))
    if (resourcePath === undefined || (!cachesRows && !LOOKS_LIKE_SCHEMA.test(resourcePath))) return undefined
    const segments = segmentsOf(resourcePath || '/')
    const first = segments?.[0]
    if (first === undefined) return undefined
    const name = first.name.toLowerCase()
    if (isSchema(name)) {
      return schemaCache === 0 ? undefined : { kind: 'schema', isConfirmable: !OPTION_SETS.test(path) }
    }
    const entitySet = bareName(name)
    const rule = listed.get(entitySet)
    const isRow = first.hasParentheses && segments!.length === 1
    if (rule === undefined && !(reads.revalidate && isRow)) return undefined
    // A response with data of other tables would have to be dropped when those tables change.
    const isPlain = segments!.length === 1 || (segments!.length === 2 && segments![1]!.name === '$count')
    const query = queryStart === -1 ? '' : path.slice(queryStart)
    const prefer = requestHeader(request, 'prefer')
    if (!isPlain || readsOtherTables(query) || tracksChanges(path, prefer)) return undefined
    const isAnnotated = prefer !== undefined && wantsAnnotations(prefer)
    if (rule !== undefined) {
      const { maxAge, shared } = rule
      const isForAll = shared && !isAnnotated && !QUERY_FUNCTION.test(decodeURIComponent(query))
      // The annotation of a lookup has the name of a row of another table.
      return { kind: 'rows', entitySet: isAnnotated ? undefined : entitySet, maxAge, shared: isForAll }
    }
    // Dynamics does not answer 304 to a request for annotations.
    return isAnnotated ? undefined : { kind: 'row', entitySet }
  }
}

/** The segments of a safe path. There are few different paths without keys. */
function segmentsOf(path: string): readonly PathSegment[] | undefined {
  return path.includes('(') ? pathSegments(path) : segmentsWithoutKeys(path)
}

const segmentsWithoutKeys = cachedByText(pathSegments)

const wantsAnnotations = cachedByText((prefer) => /annotations/i.test(prefer))

/** Saves parsing the path. Some clients encode `$` as `%24`. */
const LOOKS_LIKE_SCHEMA = /^\/+(?:\$|%24)?[a-z%\d]*(?:metadata|definitions)/i

/**
 * A query function of Dynamics. The result of many depends on the user, as with `EqualUserId`, or on the user's time
 * zone, as with `Today`.
 */
const QUERY_FUNCTION = /\.\w+[\s+]*\(/

/** `RetrieveMetadataChanges` does not report changes of the options of a global choice. */
const OPTION_SETS = /option/i

/** Whether a query may read rows of other tables than that of the path. Programs repeat their queries. */
export const readsOtherTables = cachedByText((query): boolean => {
  if (query.length < 2) return false
  const navigation = navigationOf(query)
  return navigation === undefined || navigation.names.length > 0 || navigation.query !== undefined
})

/** Whether a client asks for the changes since its last request. It must get the newest ones. */
function tracksChanges(path: string, prefer: string | undefined): boolean {
  return /deltatoken/i.test(path) || (prefer !== undefined && wantsTracking(prefer))
}

const wantsTracking = cachedByText((prefer) => /track-changes/i.test(prefer))
