import { parted, queryOptions } from './address.ts'
import type { Environment } from './environment.ts'
import { badQuery } from './errors.ts'
import { compare } from './compare.ts'
import { filterOf } from './filter.ts'
import { type Json, RawNumber, writeJson } from './json.ts'
import type { Header, Operation, Reply } from './operation.ts'
import { deltaToken, rawOption, readDeltaToken, readSkipToken, skipToken, without } from './paging.ts'
import { type Preferences, preferencesOf } from './prefer.ts'
import { type Expansion, type Query, queryOf } from './query.ts'
import { etagOf, followed, related, rowAsJson, type Writing } from './representation.ts'
import type { Row } from './rows.ts'
import { type EntityType, typeOf } from './schema.ts'

/** The type of a JSON answer with a status 200. */
export const jsonType = 'application/json; odata.metadata=minimal'

/** Answers one page of `rows` as a collection of `type`; `path` is the address of the collection below the root. */
export function readCollection(
  environment: Environment, operation: Operation, type: EntityType, rows: readonly Row[], path = type.set,
): Reply {
  const rawQuery = parted(operation.target).query
  const options = queryOptions(rawQuery)
  const query = queryOf(options, type)
  const writing = writingOf(environment, operation)
  const { preferences } = writing
  const token = rawOption(rawQuery, '$deltatoken')
  if (token !== undefined) return readChanges(environment, operation, type, readDeltaToken(token))
  if (preferences.trackChanges && (query.filter ?? query.top ?? query.orderBy[0] ?? query.expand[0]) !== undefined) {
    throw badQuery('Query options $filter, $orderby, $expand and $top cannot be used with change tracking.')
  }

  const matching = ordered(filtered(environment, rows, query, type, options), query)
  const page = pageOf(matching, type, rawQuery, query, preferences, environment)
  const json: Record<string, Json> = {}
  if (writing.metadata !== 'none') json['@odata.context'] = contextOf(writing, type, query, '')
  if (query.count) json['@odata.count'] = Math.min(matching.length, 5000)
  if (preferences.annotated('Microsoft.Dynamics.CRM.totalrecordcount')) {
    json['@Microsoft.Dynamics.CRM.totalrecordcount'] = query.count ? Math.min(matching.length, 5000) : -1
    json['@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded'] = query.count && matching.length > 5000
  }
  json['value'] = page.rows.map((row) => expanded(row, type, query, writing))
  if (page.next !== undefined) {
    const next = joined(without(rawQuery, '$skiptoken'), '$skiptoken', page.next)
    json['@odata.nextLink'] = `${writing.root}/${path}?${next}`
  } else if (preferences.trackChanges) {
    json['@odata.deltaLink'] = deltaLink(environment, writing, type, rawQuery)
  }
  return jsonReply(200, json, writing, [], '; odata.streaming=true')
}

/** Answers one row, or 304 when the caller has its newest version already. */
export function readRow(environment: Environment, operation: Operation, type: EntityType, row: Row): Reply {
  const query = queryOf(queryOptions(parted(operation.target).query), type)
  const writing = writingOf(environment, operation)
  const known = operation.headers.get('if-none-match')
  if (known === etagOf(row) && query.expand.length === 0) return { status: 304, headers: [['ETag', etagOf(row)]] }
  return representation(200, row, type, query, writing)
}

/** One row as the body of an answer, for reads and for `Prefer: return=representation`. */
export function representation(
  status: number, row: Row, type: EntityType, query: Query, writing: Writing, headers: readonly Header[] = [],
): Reply {
  const json: Record<string, Json> = {}
  if (writing.metadata !== 'none') json['@odata.context'] = contextOf(writing, type, query, '/$entity')
  Object.assign(json, expanded(row, type, query, writing))
  return jsonReply(status, json, writing, [['ETag', etagOf(row)], ...headers])
}

/** How the answer to `operation` is to be written. */
export function writingOf(environment: Environment, operation: Operation): Writing {
  const accept = `${operation.headers.get('accept') ?? ''};${formatOf(operation)}`
  const [, metadata = 'minimal'] = /odata\.metadata=(full|none|minimal)/.exec(accept) ?? []
  const { path } = parted(operation.target)
  const version = /^\/api\/data\/v9\.\d/.exec(path)?.[0] ?? '/api/data/v9.2'
  return {
    environment,
    root: `${operation.origin}${version}`,
    metadata: metadata as Writing['metadata'],
    preferences: preferencesOf(operation),
  }
}

/** A JSON answer with the headers that every one has. */
export function jsonReply(
  status: number, json: Json, { metadata, preferences }: Writing, headers: readonly Header[] = [], suffix = '',
): Reply {
  return {
    status,
    headers: [
      ['Content-Type', `application/json; odata.metadata=${metadata}${suffix}`],
      ...headers,
      ...(preferences.applied === undefined ? [] : [['Preference-Applied', preferences.applied] as const]),
    ],
    body: writeJson(json),
  }
}

/** Rows that pass `$filter`. */
export function filtered(
  environment: Environment, rows: readonly Row[], query: Query, type: EntityType, options: ReadonlyMap<string, string>,
): readonly Row[] {
  if (query.filter === undefined) return rows
  return rows.filter(filterOf(query.filter, {
    type,
    follow: (set, id) => environment.store.table(set).rows.get(id),
    related: (of, row, collection) => related(environment, of, row, collection),
    aliases: options,
    wildcardsInEquals: environment.switches.wildcardsInEquals,
  }))
}

function formatOf(operation: Operation): string {
  return queryOptions(parted(operation.target).query).get('$format') ?? ''
}

function ordered(rows: readonly Row[], { orderBy }: Query): readonly Row[] {
  if (orderBy.length === 0) return rows
  return [...rows].sort((left, right) => {
    for (const { column, descending } of orderBy) {
      const sign = compare(left[column] ?? null, right[column] ?? null)
      if (sign !== 0) return descending ? -sign : sign
    }
    return 0
  })
}

function pageOf(
  rows: readonly Row[], type: EntityType, rawQuery: string, query: Query, preferences: Preferences,
  { switches }: Environment,
): { readonly rows: readonly Row[], readonly next: string | undefined } {
  const size = Math.min(preferences.pageSize ?? switches.pageSize, switches.pageSize)
  // Dataverse ignores $top when a page size is preferred.
  const all = query.top !== undefined && preferences.pageSize === undefined ? rows.slice(0, query.top) : rows
  const token = rawOption(rawQuery, '$skiptoken')
  const mark = token === undefined ? { page: 1, last: '' } : readSkipToken(token, type.key)
  const start = mark.page === 1 ? 0 : all.findIndex((row) => row[type.key] === mark.last) + 1
  if (mark.page > 1 && start === 0) throw badQuery('The paging cookie names a row that is no longer there.')
  const page = all.slice(start, start + size)
  const last = page.at(-1)
  const more = start + size < all.length && last !== undefined
  if (!more) return { rows: page, next: undefined }
  return { rows: page, next: skipToken(type.key, { page: mark.page + 1, last: String(last[type.key]) }) }
}

function expanded(row: Row, type: EntityType, query: Query, writing: Writing): Record<string, Json> {
  const json = rowAsJson(row, type, query, writing)
  for (const expansion of query.expand) writeExpansion(json, row, type, expansion, writing)
  return json
}

function writeExpansion(
  json: Record<string, Json>, row: Row, type: EntityType, { name, to, query, text }: Expansion, writing: Writing,
): void {
  const { environment, preferences, root } = writing
  if ('lookup' in to) {
    const target = followed(environment, row, to.lookup)
    json[name] = target === undefined ? null : expanded(target.row, target.type, query, writing)
    return
  }
  const target = typeOf(to.collection.set)
  const matching = ordered(
    filtered(environment, related(environment, type, row, to.collection), query, target, new Map()), query)
  const rows = query.top === undefined ? matching : matching.slice(0, query.top)
  const size = preferences.pageSize ?? 5000
  json[name] = rows.slice(0, size).map((each) => expanded(each, target, query, writing))
  const last = rows[size - 1]
  if (rows.length > size && last !== undefined) {
    const options = text.replaceAll(';', '&').replaceAll(' ', '%20')
    const token = skipToken(target.key, { page: 2, last: String(last[target.key]) })
    const address = `${root}/${type.set}(${String(row[type.key])})/${name}`
    json[`${name}@odata.nextLink`] = `${address}?${joined(options, '$skiptoken', token)}`
  }
}

function contextOf({ root }: Writing, type: EntityType, query: Query, suffix: string): string {
  const parts = [...query.select ?? [], ...query.expand.map(({ name, query: inner }) =>
    `${name}(${inner.select?.join(',') ?? ''})`)]
  return `${root}/$metadata#${type.set}${parts.length > 0 ? `(${parts.join(',')})` : ''}${suffix}`
}

function readChanges(environment: Environment, operation: Operation, type: EntityType, since: bigint): Reply {
  const rawQuery = parted(operation.target).query
  const query = queryOf(queryOptions(rawQuery), type)
  const writing = writingOf(environment, operation)
  const { rows, deleted } = environment.store.table(type.set)
  const changed = [...rows.values()].filter((row) => BigInt(String(row['versionnumber'])) > since)
  return jsonReply(200, {
    '@odata.context': `${contextOf(writing, type, query, '')}/$delta`,
    '@odata.deltaLink': deltaLink(environment, writing, type, rawQuery),
    value: [
      ...changed.map((row) => expanded(row, type, query, writing)),
      ...deleted.filter(({ version }) => version > since).map(({ id }) => ({
        '@odata.context': `${writing.root}/$metadata#${type.set}/$deletedEntity`, id, reason: 'deleted',
      })),
    ],
  }, writing, [], '; odata.streaming=true')
}

function deltaLink(environment: Environment, { root }: Writing, type: EntityType, rawQuery: string): string {
  const token = deltaToken(environment.store.version(), new Date())
  return `${root}/${type.set}?${joined(without(rawQuery, '$deltatoken', '$skiptoken'), '$deltatoken', token)}`
}

function joined(query: string, name: string, value: string): string {
  return `${query === '' ? '' : `${query}&`}${name}=${value}`
}

/** The value of one column as an answer of its own: JSON, or plain with `$value`. */
export function readColumn(
  environment: Environment, operation: Operation, type: EntityType, row: Row, column: string, plain: boolean,
): Reply {
  const value = row[column] ?? null
  if (value === null) return { status: 204, headers: [] }
  if (plain) return { status: 200, headers: [['Content-Type', 'text/plain']], body: String(value) }
  const writing = writingOf(environment, operation)
  const money = type.columns[column]?.type === 'money' && typeof value === 'number'
  return jsonReply(200, {
    '@odata.context': `${writing.root}/$metadata#${type.set}(${String(row[type.key])})/${column}`,
    value: money ? new RawNumber(value.toFixed(4)) : value,
  }, writing)
}
