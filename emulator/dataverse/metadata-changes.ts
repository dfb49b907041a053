import { isObject, type Json, type JsonObject, readJson } from '../http/json.ts'
import type { Operation, Reply } from '../http/operation.ts'
import type { Keys } from './address.ts'
import { bodyOf } from './body.ts'
import { text } from './entity-type.ts'
import type { Environment } from './environment.ts'
import { badPayload, DataverseError } from './errors.ts'
import { guidOf } from './guid.ts'
import { type Column, entityTypes, type EntityType } from './schema.ts'

/** Changes of the definitions since the environment was created. */
export interface SchemaChanges {
  /** Grows with each change. */
  version: bigint
  /** Stamps of a version below this one have expired. */
  oldest: bigint
  /** Columns that were added, by logical name, by table. */
  readonly added: Map<string, Map<string, Column>>
  /** When each table was changed last. */
  readonly changed: Map<string, bigint>
  readonly deleted: { readonly id: string; readonly version: bigint }[]
}

/** Definitions as a new environment has them. */
export function unchangedSchema(): SchemaChanges {
  return { version: 74_812_162n, oldest: 0n, added: new Map(), changed: new Map(), deleted: [] }
}

/** The columns of a table, those included that were added. */
export function columnsOf({ schema }: Environment, type: EntityType): readonly (readonly [string, Column])[] {
  return [...Object.entries(type.columns), ...(schema.added.get(type.name) ?? [])]
}

/** `POST EntityDefinitions(…)/Attributes` with a text column. Its definition exists at once; rows are not given it. */
export function addColumn({ schema, origins }: Environment, operation: Operation, type: EntityType): Reply {
  const body = bodyOf(operation, 'AttributeMetadata')
  const kind = body['@odata.type']
  const name = body['SchemaName']
  if (kind !== 'Microsoft.Dynamics.CRM.StringAttributeMetadata') {
    throw badPayload(`A value of the type '${String(kind)}' is not emulated here.`, 'AttributeMetadata')
  }
  if (typeof name !== 'string' || !/^[a-z]+_\w+$/i.test(name)) {
    throw new DataverseError(400, '0x80048403', 'The name of a column begins with a customization prefix.')
  }
  const logical = name.toLowerCase()
  const columns = schema.added.get(type.name) ?? new Map<string, Column>()
  if (columns.has(logical) || logical in type.columns) {
    throw new DataverseError(400, '0x80044363', `An attribute with the specified name ${logical} already exists.`)
  }
  schema.added.set(type.name, columns.set(logical, text(Number(body['MaxLength'] ?? 100))))
  schema.changed.set(type.name, ++schema.version)
  const path = `EntityDefinitions(${guidOf(`metadata/${type.name}`)})/Attributes(${guidOf(`${type.name}.${logical}`)})`
  return { status: 204, headers: [['OData-EntityId', `${origins[0]}/api/data/v9.2/${path}`]] }
}

/** `DELETE EntityDefinitions(…)/Attributes(LogicalName='…')`, of a column that was added. */
export function deleteColumn({ schema }: Environment, type: EntityType, keys: Keys | undefined): Reply {
  const name = keys !== undefined && 'named' in keys ? keys.named.get('LogicalName') : undefined
  if (typeof name !== 'string' || schema.added.get(type.name)?.delete(name) !== true) {
    throw new DataverseError(404, '0x80060888', `Could not find an attribute with the given name '${String(name)}'.`)
  }
  schema.changed.set(type.name, ++schema.version)
  schema.deleted.push({ id: guidOf(`${type.name}.${name}`), version: schema.version })
  return { status: 204, headers: [] }
}

/** `PublishXml` and `PublishAllXml`: definitions count from then on, so stamps grow. */
export const publishActions = new Map<string, (environment: Environment, operation: Operation) => Reply>([
  [
    'PublishXml',
    ({ schema }, operation) => {
      if (typeof bodyOf(operation, 'PublishXml')['ParameterXml'] !== 'string') {
        throw badPayload('The parameter ParameterXml is missing.', 'PublishXml')
      }
      schema.version += 1n
      return { status: 204, headers: [] }
    },
  ],
  [
    'PublishAllXml',
    ({ schema }) => {
      schema.version += 1n
      return { status: 204, headers: [] }
    },
  ],
])

/** The result of `RetrieveMetadataChanges`: tables by `LogicalName`, with their columns where those are asked for. */
export function metadataChanges(environment: Environment, keys: Keys | undefined): JsonObject {
  const { schema } = environment
  const parameters: ReadonlyMap<string, unknown> = keys !== undefined && 'named' in keys ? keys.named : new Map()
  const query = queryOf(parameters.get('Query'))
  const since = versionOf(schema, parameters.get('ClientVersionStamp'))
  const filter = String((parameters.get('DeletedMetadataFilters') as { raw?: string } | undefined)?.raw ?? '')
  const deleted = /'(?:All|Attribute)'$/.test(filter) && since !== undefined ? schema.deleted : []
  const ids = deleted.filter(({ version }) => version > since!).map(({ id }) => id)
  return {
    ServerVersionStamp: `${schema.version}!${stampDate(new Date())}`,
    DeletedMetadata: {
      Count: ids.length > 0 ? 1 : 0,
      IsReadOnly: false,
      Keys: ids.length > 0 ? ['Attribute'] : [],
      Values: ids.length > 0 ? [{ Count: ids.length, Items: ids }] : [],
    },
    EntityMetadata: [...entityTypes.values()]
      .filter(({ name }) => query.names === undefined || query.names.includes(name))
      .filter(({ name }) => since === undefined || (schema.changed.get(name) ?? 0n) > since)
      .map((type) => ({
        LogicalName: type.name,
        MetadataId: guidOf(`metadata/${type.name}`),
        HasChanged: since === undefined ? null : true,
        ...(query.attributes
          ? {
              Attributes: columnsOf(environment, type).map(([name]) => ({
                LogicalName: name,
                MetadataId: guidOf(`${type.name}.${name}`),
              })),
            }
          : {}),
      })),
  }
}

interface MetadataQuery {
  /** Tables by logical name; `undefined`: all. */
  readonly names: readonly string[] | undefined
  readonly attributes: boolean
}

/** An `EntityQueryExpression`; of its conditions only `LogicalName` with `Equals` is emulated. */
function queryOf(raw: unknown): MetadataQuery {
  const json = parsed((raw as { raw?: string } | undefined)?.raw ?? '')
  const properties = json['Properties']
  if (!isObject(properties)) throw badPayload('Properties of the query is missing.', 'EntityQueryExpression')
  const names = properties['PropertyNames']
  const attributes = Array.isArray(names) && names.includes('Attributes')
  if (json['AttributeQuery'] !== undefined && !attributes) {
    throw badPayload('An AttributeQuery needs Attributes among the PropertyNames.', 'EntityQueryExpression')
  }
  const criteria = json['Criteria']
  const conditions = isObject(criteria) && Array.isArray(criteria['Conditions']) ? criteria['Conditions'] : []
  const equal = (conditions as readonly Json[]).map((condition) => {
    const value = isObject(condition) ? condition['Value'] : undefined
    if (!isObject(condition) || condition['PropertyName'] !== 'LogicalName' || !isObject(value)) {
      throw badPayload('This condition is not emulated here.', 'MetadataConditionExpression')
    }
    return String(value['Value'])
  })
  return { names: equal.length === 0 ? undefined : equal, attributes }
}

function parsed(raw: string): JsonObject {
  try {
    const json = readJson(raw)
    if (isObject(json)) return json
  } catch {
    // Answered below.
  }
  throw badPayload('The parameter Query holds no JSON object.', 'EntityQueryExpression')
}

/** The version that a stamp stands for, `123!10/09/2022 22:10:22`; `undefined` without one. */
function versionOf({ version, oldest }: SchemaChanges, stamp: unknown): bigint | undefined {
  if (stamp === undefined || stamp === null) return undefined
  const [, digits] = /^(\d{1,20})!\d\d\/\d\d\/\d{4} \d\d:\d\d:\d\d$/.exec(String(stamp)) ?? []
  if (digits === undefined) throw new DataverseError(400, '0x80040203', 'The ClientVersionStamp is not valid.')
  if (BigInt(digits) < oldest || BigInt(digits) > version) {
    throw new DataverseError(400, '0x80044352', 'Version stamp associated with the client has expired.')
  }
  return BigInt(digits)
}

/** A time as stamps have it, which differs from one response to the next. */
function stampDate(date: Date): string {
  const [day, time = ''] = date.toISOString().split('T')
  const [year, month, dayOfMonth] = day!.split('-')
  return `${month}/${dayOfMonth}/${year} ${time.slice(0, 8)}`
}
