import { compare } from './compare.ts'
import type { Environment } from './environment.ts'
import { filterOf } from './filter.ts'
import type { Query } from './query.ts'
import { related } from './representation.ts'
import type { Row } from './rows.ts'
import type { EntityType } from './schema.ts'

/** The rows that match `$filter`. */
export function filtered(
  environment: Environment,
  rows: readonly Row[],
  query: Query,
  type: EntityType,
  options: ReadonlyMap<string, string>,
): readonly Row[] {
  if (query.filter === undefined) return rows
  return rows.filter(
    filterOf(query.filter, {
      type,
      follow: (set, id) => environment.store.table(set).rows.get(id),
      related: (of, row, collection) => related(environment, of, row, collection),
      aliases: options,
      wildcardsInEquals: environment.switches.wildcardsInEquals,
    }),
  )
}

/** The rows in the order of `$orderby`, or else of their creation. */
export function ordered(rows: readonly Row[], { orderBy }: Query): readonly Row[] {
  if (orderBy.length === 0) return rows
  return [...rows].sort((left, right) => {
    for (const { column, descending } of orderBy) {
      const sign = compare(left[column] ?? null, right[column] ?? null)
      if (sign !== 0) return descending ? -sign : sign
    }
    return 0
  })
}
