import type { Operation, Reply } from '../http/operation.ts'
import { parted, queryOptions } from './address.ts'
import type { Environment } from './environment.ts'
import { contextOf, expanded } from './expand.ts'
import { jsonReply, writingOf } from './json-reply.ts'
import { deltaToken, extended, without } from './paging.ts'
import { queryOf } from './query.ts'
import type { Writing } from './representation.ts'
import type { EntityType } from './schema.ts'

/** Answers what changed since a version, deletions included. */
export function readChanges(environment: Environment, operation: Operation, type: EntityType, since: bigint): Reply {
  const rawQuery = parted(operation.target).query
  const query = queryOf(queryOptions(rawQuery), type)
  const writing = writingOf(environment, operation)
  const { rows, deleted } = environment.store.table(type.set)
  const changed = [...rows.values()].filter((row) => BigInt(String(row['versionnumber'])) > since)
  return jsonReply(
    200,
    {
      '@odata.context': `${contextOf(writing, type, query, '')}/$delta`,
      '@odata.deltaLink': deltaLink(environment, writing, type, rawQuery),
      value: [
        ...changed.map((row) => expanded(row, type, query, writing)),
        ...deleted
          .filter(({ version }) => version > since)
          .map(({ id }) => ({
            '@odata.context': `${writing.root}/$metadata#${type.set}/$deletedEntity`,
            id,
            reason: 'deleted',
          })),
      ],
    },
    writing,
    [],
    '; odata.streaming=true',
  )
}

/** The link to what will have changed from now on. */
export function deltaLink(environment: Environment, { root }: Writing, type: EntityType, rawQuery: string): string {
  const token = deltaToken(environment.store.version(), new Date())
  return `${root}/${type.set}?${extended(without(rawQuery, '$deltatoken', '$skiptoken'), '$deltatoken', token)}`
}
