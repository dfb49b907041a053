import type { Json, JsonObject } from '../http/json.ts'
import { DataverseError } from './errors.ts'
import { guidOf } from './guid.ts'
import { entityTypes, type EntityType } from './schema.ts'

/** The definitions of all tables, including tables that have only a definition. */
export function definitions(): readonly JsonObject[] {
  return [...[...entityTypes.values()].map(definition), ...DEFINED_ONLY]
}

/** Those of `all` that match `$filter`. Only the form `Property eq 'text'` is emulated. */
export function matchingDefinitions(all: readonly JsonObject[], filter: string | undefined): readonly JsonObject[] {
  if (filter === undefined) return all
  const [, property = '', text] = /^\s*(\w+)\s+eq\s+'([^']*)'\s*$/.exec(filter) ?? []
  if (text === undefined) throw new DataverseError(501, '0x80060888', `$filter=${filter} is not emulated here.`)
  // Dataverse compares text case-insensitively.
  return all.filter((each) => String(each[property]).toLowerCase() === text.toLowerCase())
}

/** The properties of a definition that `$select` asks for, and always its `MetadataId`. */
export function selectedOf(all: JsonObject, selected: readonly string[] | undefined): JsonObject {
  if (selected === undefined) return all
  return Object.fromEntries(Object.entries(all).filter(([name]) => name === 'MetadataId' || selected.includes(name)))
}

/** The many-to-one relationships of a table: a lookup column and its navigation property. */
export function manyToOneRelationships(type: EntityType): readonly JsonObject[] {
  return Object.entries(type.lookups).map(([navigation, { column, set }]) => ({
    ReferencingEntity: type.name,
    ReferencingAttribute: column.replace(/^_|_value$/g, ''),
    ReferencingEntityNavigationPropertyName: navigation,
    ReferencedEntity: entityTypes.get(set)!.name,
    MetadataId: guidOf(`${type.name}.${navigation}`),
  }))
}

/** The definition of one table. */
export function definition(type: EntityType): JsonObject {
  return defined({
    LogicalName: type.name,
    EntitySetName: type.set,
    PrimaryIdAttribute: type.key,
    PrimaryNameAttribute: type.title,
    IsActivity: type.name === 'task',
  })
}

function defined(
  own: { readonly LogicalName: string; readonly EntitySetName: string } & Readonly<Record<string, Json>>,
): JsonObject {
  const { LogicalName: name, EntitySetName: set } = own
  return {
    MetadataId: guidOf(`metadata/${name}`),
    LogicalCollectionName: set,
    SchemaName: name.charAt(0).toUpperCase() + name.slice(1),
    TableType: 'Standard',
    IsActivity: false,
    IsIntersect: false,
    IsLogicalEntity: false,
    DataProviderId: null,
    ...own,
  }
}

/** Tables of the kinds without a unique primary key of their own. Their rows are not emulated. */
const DEFINED_ONLY: readonly JsonObject[] = [
  defined({
    LogicalName: 'sample_reading',
    EntitySetName: 'sample_readings',
    PrimaryIdAttribute: 'sample_readingid',
    TableType: 'Elastic',
  }),
  defined({
    LogicalName: 'sample_supplier',
    EntitySetName: 'sample_suppliers',
    PrimaryIdAttribute: 'sample_supplierid',
    TableType: 'Virtual',
    DataProviderId: '7015a531-cc0d-4537-b5f2-c882a1eb65ad',
  }),
  defined({
    LogicalName: 'systemuserroles',
    EntitySetName: 'systemuserrolescollection',
    PrimaryIdAttribute: 'systemuserroleid',
    IsIntersect: true,
  }),
  defined({ LogicalName: 'activityparty', EntitySetName: 'activityparties', PrimaryIdAttribute: 'activitypartyid' }),
]
