import { expandedIn } from './expand.ts'
import { fetchXmlEntities } from './fetch-xml.ts'
import { passedIn } from './passed.ts'
import { queryOptions } from './query-options.ts'

/** What a query reads beyond the resource that its path names. */
export interface QueryReads {
  /** Navigation properties that `$expand` names, nested ones too, and types they are cast to; `*` stands for all. */
  readonly expanded: readonly string[]
  /** Names that the other options go through to reach another: the first in `$filter=ownerid/fullname eq 'x'`. */
  readonly passed: readonly string[]
  /** Logical names of the tables that a `fetchXml` names. */
  readonly fetched: readonly string[]
  /** Options that read what cannot be told from the query. */
  readonly opaque: readonly ('$apply' | 'savedQuery' | 'userQuery' | '$id')[]
  /** Why the query may read anything else, as the rest of a sentence that begins with "The query". */
  readonly unreadable: string | undefined
}

/**
 * Reads what `$expand`, `fetchXml` and other options of a raw query reach. Names of options count in any letter case,
 * and without their `$` as OData 4.01 allows.
 *
 * @param query with or without its question mark
 */
export function queryReads(query: string): QueryReads {
  const options = queryOptions(query)
  if (options === undefined) return { ...NOTHING, unreadable: 'holds a percent code that is not UTF-8' }

  const expanded: string[] = []
  const passed: string[] = []
  const fetched: string[] = []
  const opaque: QueryReads['opaque'][number][] = []
  let unreadable: string | undefined
  for (const { name, value } of options) {
    const plain = name.trim().replace(/^\$/, '').toLowerCase()
    const found = OPAQUE[plain]
    if (found !== undefined) opaque.push(found)
    else if (plain === 'expand') {
      const read = expandedIn(value)
      if (read === undefined) unreadable = 'has an $expand that cannot be read'
      else {
        expanded.push(...read.names)
        passed.push(...read.passed)
      }
    } else if (plain === 'fetchxml') {
      const tables = fetchXmlEntities(value)
      if (tables === undefined) unreadable = 'has a fetchXml that cannot be read'
      else fetched.push(...tables)
    } else passed.push(...passedIn(value))
  }
  return { expanded, passed, fetched, opaque, unreadable }
}

const NOTHING = { expanded: [], passed: [], fetched: [], opaque: [] } as const

const OPAQUE: Readonly<Record<string, QueryReads['opaque'][number] | undefined>> = {
  __proto__: null as never,
  apply: '$apply',
  savedquery: 'savedQuery',
  userquery: 'userQuery',
  id: '$id',
}
