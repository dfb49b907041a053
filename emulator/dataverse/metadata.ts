import type { JsonObject } from '../http/json.ts'
import type { Operation, Reply } from '../http/operation.ts'
import { type Keys, type Segment, splitTarget, queryOptions } from './address.ts'
import { definition, definitions, manyToOneRelationships, matchingDefinitions, selectedOf } from './definitions.ts'
import type { Environment } from './environment.ts'
import { DataverseError, noMethod, noSegment } from './errors.ts'
import { guidOf } from './guid.ts'
import { jsonReply, responseFormat } from './json-reply.ts'
import { addColumn, columnsOf, deleteColumn } from './metadata-changes.ts'
import { type Column, entityTypes, type EntityType, typeNamed, typeOf } from './schema.ts'

/** The service document: every entity set, with a relative `url`. */
export function serviceDocument(environment: Environment, operation: Operation): Reply {
  const format = responseFormat(environment, operation)
  return jsonReply(
    200,
    {
      '@odata.context': `${format.root}/$metadata`,
      value: [...entityTypes.keys()].map((set) => ({ name: set, kind: 'EntitySet', url: set })),
    },
    format,
  )
}

/** `$metadata`: the schema as CSDL. */
export function metadataDocument(environment: Environment): Reply {
  const types = [...entityTypes.values()]
  const sets = types.map((type) => `<EntitySet Name="${type.set}" EntityType="Microsoft.Dynamics.CRM.${type.name}"/>`)
  const body =
    '<?xml version="1.0" encoding="utf-8"?>' +
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>' +
    '<Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" xmlns="http://docs.oasis-open.org/odata/ns/edm">' +
    types.map((type) => entityXml(environment, type)).join('') +
    `<EntityContainer Name="System">${sets.join('')}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>`
  return { status: 200, headers: [['Content-Type', 'application/xml']], body }
}

/** `EntityDefinitions` with `$select` and `$filter`; one definition by logical name, its attributes and relationships. */
export function entityDefinitions(
  environment: Environment,
  operation: Operation,
  keys: Keys | undefined,
  rest: readonly Segment[],
): Reply {
  if (operation.method !== 'GET' && rest[0]?.name !== 'Attributes') throw noMethod(operation.method)
  const format = responseFormat(environment, operation)
  const options = queryOptions(splitTarget(operation.target).query)
  const selected = options
    .get('$select')
    ?.split(',')
    .map((name) => name.trim())
  const context = `${format.root}/$metadata#EntityDefinitions`
  if (keys === undefined) {
    return jsonReply(
      200,
      {
        '@odata.context': context,
        value: matchingDefinitions(definitions(), options.get('$filter')).map((each) => selectedOf(each, selected)),
      },
      format,
    )
  }
  const name = 'named' in keys ? keys.named.get('LogicalName') : undefined
  const type =
    typeof name === 'string'
      ? typeNamed(name)
      : [...entityTypes.values()].find((each) => 'id' in keys && guidOf(`metadata/${each.name}`) === keys.id)
  if (type === undefined) {
    throw new DataverseError(404, '0x80060888', `Could not find an entity with the given name '${String(name)}'.`)
  }
  const [below] = rest
  if (below === undefined) {
    return jsonReply(
      200,
      { '@odata.context': `${context}/$entity`, ...selectedOf(tracked(environment, type), selected) },
      format,
    )
  }
  if (below.name === 'ManyToOneRelationships') {
    const value = manyToOneRelationships(type).map((each) => selectedOf(each, selected))
    return jsonReply(200, { '@odata.context': `${context}('${type.name}')/ManyToOneRelationships`, value }, format)
  }
  if (below.name !== 'Attributes') throw noSegment(below.name)
  if (operation.method === 'POST') return addColumn(environment, operation, type)
  if (operation.method === 'DELETE') return deleteColumn(environment, type, below.keys)
  if (operation.method !== 'GET') throw noMethod(operation.method)
  return jsonReply(
    200,
    {
      '@odata.context': `${context}('${type.name}')/Attributes`,
      value: columnsOf(environment, type).map(([column, { type: kind }]) => ({
        LogicalName: column,
        SchemaName: column,
        AttributeType: kind,
        MetadataId: guidOf(`${type.name}.${column}`),
      })),
    },
    format,
  )
}

function entityXml(environment: Environment, type: EntityType): string {
  const properties = columnsOf(environment, type).map(
    ([name, column]) => `<Property Name="${name}" Type="${edmType(column)}"/>`,
  )
  const single = Object.entries(type.lookups).map(
    ([name, { set }]) => `<NavigationProperty Name="${name}" Type="mscrm.${typeOf(set).name}"/>`,
  )
  const many = Object.entries(type.collections).map(
    ([name, { set }]) => `<NavigationProperty Name="${name}" Type="Collection(mscrm.${typeOf(set).name})"/>`,
  )
  return (
    `<EntityType Name="${type.name}"><Key><PropertyRef Name="${type.key}"/></Key>` +
    `${[...properties, ...single, ...many].join('')}</EntityType>`
  )
}

function edmType({ type }: Column): string {
  switch (type) {
    case 'text':
      return 'Edm.String'
    case 'integer':
    case 'choice':
      return 'Edm.Int32'
    case 'big':
      return 'Edm.Int64'
    case 'money':
      return 'Edm.Decimal'
    case 'boolean':
      return 'Edm.Boolean'
    case 'date':
      return 'Edm.DateTimeOffset'
    case 'guid':
    case 'lookup':
      return 'Edm.Guid'
    case 'file':
    case 'image':
      return 'Edm.Binary'
  }
}

/** The definition of one table in this environment. */
function tracked({ switches }: Environment, type: EntityType): JsonObject {
  return { ...definition(type), ChangeTrackingEnabled: !switches.untracked.includes(type.set) }
}
