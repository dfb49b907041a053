import { type Json, RawNumber } from '../http/json.ts'
import type { Header, Operation, Reply } from '../http/operation.ts'
import { splitTarget, queryOptions } from './address.ts'
import { deltaLink, readChanges } from './changes.ts'
import type { Environment } from './environment.ts'
import { badQuery, DataverseError } from './errors.ts'
import { contextOf, expanded } from './expand.ts'
import { jsonReply, responseFormat } from './json-reply.ts'
import { filtered, ordered } from './matching.ts'
import { withOption, rawOption, readDeltaToken, readSkipToken, skipToken, withoutOptions } from './paging.ts'
import type { Preferences } from './prefer.ts'
import { type Query, queryOf } from './query.ts'
import { readFetchXml } from './read-fetch-xml.ts'
import { etagOf, type ResponseFormat } from './representation.ts'
import type { Row } from './rows.ts'
import type { EntityType } from './schema.ts'

/** The content type of a JSON response. */
export const jsonType = 'application/json; odata.metadata=minimal'

const EXPIRED = 'Version stamp associated with the client has expired. Please perform a full sync.'

/** Returns one page of `rows` as a collection of `type`; `path` is the resource path of the collection. */
export function readCollection(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  rows: readonly Row[],
  path = type.set,
): Reply {
  const rawQuery = splitTarget(operation.target).query
  const options = queryOptions(rawQuery)
  const fetchXml = options.get('fetchXml')
  if (fetchXml !== undefined) return readFetchXml(environment, operation, type, rows, fetchXml)
  const query = queryOf(options, type)
  const format = responseFormat(environment, operation)
  const { preferences } = format
  const token = rawOption(rawQuery, '$deltatoken')
  if (token !== undefined) {
    // ExpiredVersionStamp of the SDK.
    if (environment.switches.deltaLinks === 'expired') throw new DataverseError(400, '0x80044352', EXPIRED)
    return readChanges(environment, operation, type, readDeltaToken(token))
  }
  if (preferences.trackChanges && environment.switches.untracked.includes(type.set)) {
    throw badQuery(`Entity: ${type.name} isn't enabled for change tracking.`)
  }
  if (preferences.trackChanges && (query.filter ?? query.top ?? query.orderBy[0] ?? query.expand[0]) !== undefined) {
    throw badQuery('Query options $filter, $orderby, $expand and $top cannot be used with change tracking.')
  }

  const matching = ordered(filtered(environment, rows, query, type, options), query)
  const page = pageOf(matching, type, rawQuery, query, preferences, environment)
  const json: Record<string, Json> = {}
  if (format.metadata !== 'none') json['@odata.context'] = contextOf(format, type, query, '')
  if (query.count) json['@odata.count'] = Math.min(matching.length, 5000)
  if (preferences.annotated('Microsoft.Dynamics.CRM.totalrecordcount')) {
    json['@Microsoft.Dynamics.CRM.totalrecordcount'] = query.count ? Math.min(matching.length, 5000) : -1
    json['@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded'] = query.count && matching.length > 5000
  }
  json['value'] = page.rows.map((row) => expanded(row, type, query, format))
  if (page.next !== undefined) {
    const next = withOption(withoutOptions(rawQuery, '$skiptoken'), '$skiptoken', page.next)
    json['@odata.nextLink'] = `${format.root}/${path}?${next}`
  } else if (preferences.trackChanges) {
    json['@odata.deltaLink'] = deltaLink(environment, format, type, rawQuery)
  }
  return jsonReply(200, json, format, [], '; odata.streaming=true')
}

/** Returns one row, or 304 when the caller has its current version. */
export function readRow(environment: Environment, operation: Operation, type: EntityType, row: Row): Reply {
  const query = queryOf(queryOptions(splitTarget(operation.target).query), type)
  const format = responseFormat(environment, operation)
  const known = operation.headers.get('if-none-match')
  const more = query.expand.length > 0 || format.preferences.annotated('OData.Community.Display.V1.FormattedValue')
  if (known === etagOf(row) && !more) return { status: 304, headers: [['ETag', etagOf(row)]] }
  return representation(200, row, type, query, format)
}

/** One row as a response, for reads and for `Prefer: return=representation`. */
export function representation(
  status: number,
  row: Row,
  type: EntityType,
  query: Query,
  format: ResponseFormat,
  headers: readonly Header[] = [],
): Reply {
  const json: Record<string, Json> = {}
  if (format.metadata !== 'none') json['@odata.context'] = contextOf(format, type, query, '/$entity')
  Object.assign(json, expanded(row, type, query, format))
  return jsonReply(status, json, format, [['ETag', etagOf(row)], ...headers])
}

function pageOf(
  rows: readonly Row[],
  type: EntityType,
  rawQuery: string,
  query: Query,
  preferences: Preferences,
  { switches }: Environment,
): { readonly rows: readonly Row[]; readonly next: string | undefined } {
  const size = Math.min(preferences.pageSize ?? switches.pageSize, switches.pageSize)
  // Dataverse ignores $top together with odata.maxpagesize.
  const all = query.top !== undefined && preferences.pageSize === undefined ? rows.slice(0, query.top) : rows
  const token = rawOption(rawQuery, '$skiptoken')
  const position = token === undefined ? { page: 1, last: '' } : readSkipToken(token, type.key)
  const start = position.page === 1 ? 0 : all.findIndex((row) => row[type.key] === position.last) + 1
  if (position.page > 1 && start === 0) throw badQuery('The paging cookie refers to a row that no longer exists.')
  const page = all.slice(start, start + size)
  const last = page.at(-1)
  const more = start + size < all.length && last !== undefined
  if (!more) return { rows: page, next: undefined }
  return { rows: page, next: skipToken(type.key, { page: position.page + 1, last: String(last[type.key]) }) }
}

/** The value of one column as a response: JSON, or plain text with `$value`. */
export function readColumn(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  column: string,
  plain: boolean,
): Reply {
  const value = row[column] ?? null
  if (value === null) return { status: 204, headers: [] }
  if (plain) return { status: 200, headers: [['Content-Type', 'text/plain']], body: String(value) }
  const format = responseFormat(environment, operation)
  const money = type.columns[column]?.type === 'money' && typeof value === 'number'
  return jsonReply(
    200,
    {
      '@odata.context': `${format.root}/$metadata#${type.set}(${String(row[type.key])})/${column}`,
      value: money ? new RawNumber(value.toFixed(4)) : value,
    },
    format,
  )
}
