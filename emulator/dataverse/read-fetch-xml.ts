import type { Json } from '../http/json.ts'
import type { Operation, Reply } from '../http/operation.ts'
import { compare, equal } from './compare.ts'
import type { Environment } from './environment.ts'
import { badQuery } from './errors.ts'
import { contextOf, expanded } from './expand.ts'
import { type Condition, type Fetch, parseFetchXml } from './fetch-xml.ts'
import { jsonReply, responseFormat } from './json-reply.ts'
import { ordered } from './matching.ts'
import { type Query, queryOf } from './query.ts'
import type { Row } from './rows.ts'
import type { EntityType } from './schema.ts'

/**
 * Returns one page of `rows` by FetchXML. There is no link to the next page: annotations, where they are asked for, say
 * whether there is one, and hold its cookie, encoded twice.
 */
export function readFetchXml(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  rows: readonly Row[],
  xml: string,
): Reply {
  const fetch = parseFetchXml(xml)
  if (fetch.entity !== type.name) {
    throw badQuery(`The entity name '${fetch.entity}' of the fetchXml is not that of the path, '${type.name}'.`)
  }
  const query = asQuery(fetch, type)
  const format = responseFormat(environment, operation)
  const matching = ordered(
    rows.filter((row) => fetch.conditions.every((condition) => holds(row, condition, type))),
    query,
  )
  const all = matching.slice(0, fetch.top)
  const size = Math.min(fetch.count ?? environment.switches.pageSize, environment.switches.pageSize)
  const start = startOf(all, fetch, size, type)
  const page = all.slice(start, start + size)
  const json: Record<string, Json> = {}
  if (format.metadata !== 'none') json['@odata.context'] = contextOf(format, type, query, '')
  const last = page.at(-1)
  const more = fetch.top === undefined && last !== undefined && start + size < all.length
  if (format.preferences.annotated('Microsoft.Dynamics.CRM.morerecords')) {
    json['@Microsoft.Dynamics.CRM.morerecords'] = more
  }
  if (more && format.preferences.annotated('Microsoft.Dynamics.CRM.fetchxmlpagingcookie')) {
    const inner = encodeURIComponent(encodeURIComponent(cookieAfter(last, fetch.page, type)))
    json['@Microsoft.Dynamics.CRM.fetchxmlpagingcookie'] =
      `<cookie pagenumber="${fetch.page + 1}" pagingcookie="${inner}" istracking="False" />`
  }
  json['value'] = page.map((row) => expanded(row, type, query, format))
  return jsonReply(200, json, format, [], '; odata.streaming=true')
}

function asQuery({ columns, orders }: Fetch, type: EntityType): Query {
  for (const { column } of orders) columnOf(column, type)
  const options = columns === undefined ? new Map<string, string>() : new Map([['$select', columns.join(',')]])
  return { ...queryOf(options, type), orderBy: orders }
}

function holds(row: Row, { column, operator, values }: Condition, type: EntityType): boolean {
  const value = row[columnOf(column, type)] ?? null
  switch (operator) {
    case 'null':
      return value === null
    case 'not-null':
      return value !== null
    case 'ne':
      return value === null || compare(value, values[0]!) !== 0
    default:
      return values.some((each) => equal(value, each, false))
  }
}

function columnOf(name: string, type: EntityType): string {
  if (name in type.columns) return name
  const lookup = type.lookups[name]
  if (lookup !== undefined) return lookup.column
  throw badQuery(`'${type.name}' entity doesn't contain attribute with Name = '${name}'.`)
}

/** Where the page begins: after the row of the cookie, or else by page number. */
function startOf(rows: readonly Row[], { page, cookie }: Fetch, size: number, type: EntityType): number {
  if (cookie === undefined) return (page - 1) * size
  const last = rows.findIndex((row) => cookieAfter(row, page - 1, type) === cookie)
  if (last === -1) throw badQuery('Malformed XML in the Paging Cookie')
  return last + 1
}

function cookieAfter(row: Row, page: number, type: EntityType): string {
  return `<cookie page="${page}"><${type.key} last="{${String(row[type.key]).toUpperCase()}}" /></cookie>`
}
