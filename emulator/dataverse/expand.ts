import type { Json } from '../http/json.ts'
import { filtered, ordered } from './matching.ts'
import { withOption, skipToken } from './paging.ts'
import type { Expansion, Query } from './query.ts'
import { followed, related, rowAsJson, type ResponseFormat } from './representation.ts'
import type { Row } from './rows.ts'
import { type EntityType, typeOf } from './schema.ts'

/** A row as JSON, with the navigation properties that `$expand` asks for. */
export function expanded(row: Row, type: EntityType, query: Query, format: ResponseFormat): Record<string, Json> {
  const json = rowAsJson(row, type, query, format)
  for (const expansion of query.expand) writeExpansion(json, row, type, expansion, format)
  return json
}

function writeExpansion(
  json: Record<string, Json>,
  row: Row,
  type: EntityType,
  { name, to, query, text }: Expansion,
  format: ResponseFormat,
): void {
  const { environment, preferences, root } = format
  if ('lookup' in to) {
    const target = followed(environment, row, to.lookup)
    json[name] = target === undefined ? null : expanded(target.row, target.type, query, format)
    return
  }
  const target = typeOf(to.collection.set)
  const matching = ordered(
    filtered(environment, related(environment, type, row, to.collection), query, target, new Map()),
    query,
  )
  const rows = query.top === undefined ? matching : matching.slice(0, query.top)
  const size = preferences.pageSize ?? 5000
  json[name] = rows.slice(0, size).map((each) => expanded(each, target, query, format))
  const last = rows[size - 1]
  if (rows.length > size && last !== undefined) {
    const options = text.replaceAll(';', '&').replaceAll(' ', '%20')
    const token = skipToken(target.key, { page: 2, last: String(last[target.key]) })
    const address = `${root}/${type.set}(${String(row[type.key])})/${name}`
    json[`${name}@odata.nextLink`] = `${address}?${withOption(options, '$skiptoken', token)}`
  }
}

/** The context URL of rows, with the selected columns. */
export function contextOf({ root }: ResponseFormat, type: EntityType, query: Query, suffix: string): string {
  const parts = [
    ...(query.select ?? []),
    ...query.expand.map(({ name, query: inner }) => `${name}(${inner.select?.join(',') ?? ''})`),
  ]
  return `${root}/$metadata#${type.set}${parts.length > 0 ? `(${parts.join(',')})` : ''}${suffix}`
}
