import { type Json, RawNumber } from '../http/json.ts'
import type { Environment } from './environment.ts'
import type { Preferences } from './prefer.ts'
import type { Query } from './query.ts'
import type { Row, Value } from './rows.ts'
import { type Collection, type EntityType, type Lookup, typeOf } from './schema.ts'

/** How rows are serialized: annotations, metadata level and API root. */
export interface ResponseFormat {
  readonly environment: Environment
  /** `https://contoso.crm4.dynamics.com/api/data/v9.2` */
  readonly root: string
  readonly metadata: 'full' | 'minimal' | 'none'
  readonly preferences: Preferences
}

/** The columns of a row as JSON, with etag and annotations, without expanded rows. */
export function rowAsJson(row: Row, type: EntityType, query: Query, format: ResponseFormat): Record<string, Json> {
  const { metadata } = format
  const address = `${format.root}/${type.set}(${String(row[type.key])})`
  const json: Record<string, Json> = {}
  if (metadata === 'full') {
    json['@odata.type'] = `#Microsoft.Dynamics.CRM.${type.name}`
    json['@odata.id'] = address
  }
  if (metadata !== 'none') json['@odata.etag'] = etagOf(row)
  if (metadata === 'full') json['@odata.editLink'] = address
  for (const column of columnsOf(type, query)) writeColumn(json, column, row, type, format)
  if (metadata === 'full') writeNavigationLinks(json, type, address)
  return json
}

/** The weak etag of a row. */
export function etagOf(row: Row): string {
  return `W/"${String(row['versionnumber'])}"`
}

function columnsOf(type: EntityType, query: Query): readonly string[] {
  // An image is returned only when it is selected.
  if (query.select === undefined) {
    return Object.entries(type.columns)
      .filter(([, column]) => column.type !== 'image')
      .map(([name]) => name)
  }
  // The primary key is always returned.
  return [...new Set([...query.select, type.key])]
}

function writeColumn(
  json: Record<string, Json>,
  column: string,
  row: Row,
  type: EntityType,
  format: ResponseFormat,
): void {
  const definition = type.columns[column]
  const value = row[column] ?? null
  if (definition === undefined || (definition.type === 'file' && value === null)) return
  const { annotated } = format.preferences
  if (definition.type === 'lookup') writeLookupAnnotations(json, column, row, type, format)
  // Formatting is slow, so it happens only when the annotation is requested.
  if (annotated('OData.Community.Display.V1.FormattedValue')) {
    const formatted = formattedValue(value, definition)
    if (formatted !== undefined) json[`${column}@OData.Community.Display.V1.FormattedValue`] = formatted
  }
  if (format.metadata === 'full' && value !== null) {
    const edmType = { date: '#DateTimeOffset', guid: '#Guid', lookup: '#Guid', money: '#Decimal', big: '#Int64' }
    const odataType = edmType[definition.type as keyof typeof edmType]
    if (odataType !== undefined) json[`${column}@odata.type`] = odataType
  }
  json[column] = definition.type === 'money' && typeof value === 'number' ? new RawNumber(value.toFixed(4)) : value
}

const lookupAnnotations = [
  'OData.Community.Display.V1.FormattedValue',
  'Microsoft.Dynamics.CRM.associatednavigationproperty',
  'Microsoft.Dynamics.CRM.lookuplogicalname',
]

function writeLookupAnnotations(
  json: Record<string, Json>,
  column: string,
  row: Row,
  type: EntityType,
  { environment, preferences }: ResponseFormat,
): void {
  const id = row[column]
  const { annotated } = preferences
  if (typeof id !== 'string' || !lookupAnnotations.some(annotated)) return
  const candidates = Object.entries(type.lookups).filter(([, lookup]) => lookup.column === column)
  const [navigation, lookup] = candidates.find(([, { set }]) => environment.store.table(set).rows.has(id)) ?? []
  if (navigation === undefined || lookup === undefined) return
  const target = typeOf(lookup.set)
  if (annotated('OData.Community.Display.V1.FormattedValue')) {
    const title = environment.store.table(target.set).rows.get(id)?.[target.title]
    if (typeof title === 'string') json[`${column}@OData.Community.Display.V1.FormattedValue`] = title
  }
  if (annotated('Microsoft.Dynamics.CRM.associatednavigationproperty')) {
    json[`${column}@Microsoft.Dynamics.CRM.associatednavigationproperty`] = navigation
  }
  if (annotated('Microsoft.Dynamics.CRM.lookuplogicalname')) {
    json[`${column}@Microsoft.Dynamics.CRM.lookuplogicalname`] = target.name
  }
}

function writeNavigationLinks(json: Record<string, Json>, type: EntityType, address: string): void {
  for (const name of [...Object.keys(type.lookups), ...Object.keys(type.collections)]) {
    json[`${name}@odata.associationLink`] = `${address}/${name}/$ref`
    json[`${name}@odata.navigationLink`] = `${address}/${name}`
  }
}

function formattedValue(value: Value, definition: EntityType['columns'][string]): string | undefined {
  if (value === null) return undefined
  switch (definition.type) {
    case 'choice':
      return definition.labels[Number(value)]
    case 'boolean':
      return value === true ? 'Yes' : 'No'
    case 'money':
      return `€${Number(value).toLocaleString('en-US', { minimumFractionDigits: 2 })}`
    case 'integer':
    case 'big':
      return BigInt(value).toLocaleString('en-US')
    case 'date':
      return new Date(String(value)).toLocaleString('en-US', { timeZone: 'UTC' })
    case 'text':
    case 'guid':
    case 'lookup':
    case 'file':
    case 'image':
      return undefined
  }
}

/** The row that a lookup of `row` refers to, with its type; `undefined` when it is empty or of another type. */
export function followed(
  environment: Environment,
  row: Row,
  lookup: Lookup,
): { readonly row: Row; readonly type: EntityType } | undefined {
  const id = row[lookup.column]
  const found = typeof id === 'string' ? environment.store.table(lookup.set).rows.get(id) : undefined
  return found && { row: found, type: typeOf(lookup.set) }
}

/** The rows of a collection-valued navigation property. */
export function related({ store }: Environment, type: EntityType, row: Row, collection: Collection): readonly Row[] {
  const id = String(row[type.key])
  const { rows } = store.table(collection.set)
  if ('column' in collection) return [...rows.values()].filter((each) => each[collection.column] === id)
  const others = [...store.pairs(collection.pairs)]
    .map((pair) => pair.split('/'))
    .filter((ids) => ids[collection.half] === id)
    .map((ids) => ids[1 - collection.half])
  return [...rows.values()].filter((each) => others.includes(String(each[typeOf(collection.set).key])))
}
