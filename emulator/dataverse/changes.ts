import type { Operation, Reply } from '../http/operation.ts'
import { splitTarget, queryOptions } from './address.ts'
import type { Environment } from './environment.ts'
import { contextOf, expanded } from './expand.ts'
import { jsonReply, responseFormat } from './json-reply.ts'
import { deltaToken, withOption, withoutOptions } from './paging.ts'
import { queryOf } from './query.ts'
import type { ResponseFormat } from './representation.ts'
import type { EntityType } from './schema.ts'

/** Returns the rows that changed since a version, and those that were deleted. */
export function readChanges(environment: Environment, operation: Operation, type: EntityType, since: bigint): Reply {
  const rawQuery = splitTarget(operation.target).query
  const query = queryOf(queryOptions(rawQuery), type)
  const format = responseFormat(environment, operation)
  const { rows, deleted } = environment.store.table(type.set)
  const changed = [...rows.values()].filter((row) => BigInt(String(row['versionnumber'])) > since)
  return jsonReply(
    200,
    {
      '@odata.context': `${contextOf(format, type, query, '')}/$delta`,
      '@odata.deltaLink': deltaLink(environment, format, type, rawQuery),
      value: [
        ...changed.map((row) => expanded(row, type, query, format)),
        ...deleted
          .filter(({ version }) => version > since)
          .map(({ id }) => ({
            '@odata.context': `${format.root}/$metadata#${type.set}/$deletedEntity`,
            id,
            reason: 'deleted',
          })),
      ],
    },
    format,
    [],
    '; odata.streaming=true',
  )
}

/** The link to the changes from now on. */
export function deltaLink(
  environment: Environment,
  { root }: ResponseFormat,
  type: EntityType,
  rawQuery: string,
): string {
  const token = deltaToken(environment.store.version(), new Date())
  return `${root}/${type.set}?${withOption(withoutOptions(rawQuery, '$deltatoken', '$skiptoken'), '$deltatoken', token)}`
}
