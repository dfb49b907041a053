import { isObject, type Json, type JsonObject } from '../http/json.ts'
import type { Header, Operation, Reply } from '../http/operation.ts'
import { type Keys, splitTarget, queryOptions } from './address.ts'
import { bodyOf } from './body.ts'
import type { Environment } from './environment.ts'
import { badPayload, DataverseError } from './errors.ts'
import { newGuid } from './guid.ts'
import { responseFormat } from './json-reply.ts'
import { existing, keyColumns, missing, rowOf } from './keys.ts'
import { preferencesOf } from './prefer.ts'
import { queryOf } from './query.ts'
import { representation } from './read.ts'
import { etagOf } from './representation.ts'
import type { Row, Value } from './rows.ts'
import { type EntityType, type Lookup, readOnlyColumns, typeOf } from './schema.ts'
import { targetRow } from './targets.ts'
import { mayWrite, store } from './update.ts'
import { undeclared, valueOf } from './values.ts'

/** `POST accounts`: creates a row; 204 with its URL, or 201 with the row. */
export function create(environment: Environment, operation: Operation, type: EntityType): Reply {
  const row = insert(environment, operation, type, bodyOf(operation, type.set), {})
  return created(environment, operation, type, row)
}

/** `PATCH accounts(…)`: updates a row, or creates it unless a condition forbids that. */
export function upsert(environment: Environment, operation: Operation, type: EntityType, keys: Keys): Reply {
  const row = rowOf(environment, type, keys)
  const wanted = operation.headers.get('if-match')
  if (row === undefined) {
    if (wanted !== undefined) throw missing(type, keys)
    const body = bodyOf(operation, type.set)
    return created(environment, operation, type, insert(environment, operation, type, body, keyColumns(type, keys)))
  }
  if (operation.headers.get('if-none-match') === '*') {
    throw new DataverseError(412, '0x80040237', 'A record with matching key values already exists.')
  }
  checkVersion(operation, row)
  const changes = changesOf(environment, operation, type, bodyOf(operation, type.set))
  const after = store(environment, operation, type, row, changes)
  return updated(environment, operation, type, after)
}

/** `DELETE accounts(…)`. */
export function remove(environment: Environment, operation: Operation, type: EntityType, keys: Keys): Reply {
  const row = existing(environment, type, keys)
  checkVersion(operation, row)
  mayWrite(operation, type, 'Delete')
  const id = String(row[type.key])
  environment.store.remove(type.set, row)
  environment.store.executed({ method: 'DELETE', entitySet: type.set, id })
  return { status: 204, headers: [] }
}

/** `PUT accounts(…)/name` and `DELETE accounts(…)/name`: one column. */
export function writeColumn(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  column: string,
): Reply {
  const body = operation.method === 'DELETE' ? { value: null } : bodyOf(operation, type.set)
  checkVersion(operation, row)
  if (!('value' in body)) throw badPayload("The property 'value' is missing.", type.set)
  const changes = changesOf(environment, operation, type, { [column]: body['value'] ?? null })
  return updated(environment, operation, type, store(environment, operation, type, row, changes))
}

function insert(environment: Environment, operation: Operation, type: EntityType, body: JsonObject, keys: Row): Row {
  mayWrite(operation, type, 'Create')
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  const { user, onBehalfOf } = operation.identity
  const [userId, behalfId] = [String(user['systemuserid']), onBehalfOf ? String(onBehalfOf['systemuserid']) : null]
  const ownership: Row =
    'ownerid' in type.lookups && type.set !== 'systemusers'
      ? {
          _ownerid_value: userId,
          _owninguser_value: userId,
          _owningbusinessunit_value: String(user['_businessunitid_value']),
          statecode: 0,
          statuscode: 1,
        }
      : {}
  const given = changesOf(environment, operation, type, body)
  const id = String(keys[type.key] ?? given[type.key] ?? newGuid()).toLowerCase()
  if (environment.store.table(type.set).rows.has(id)) {
    throw new DataverseError(412, '0x80040237', 'Cannot insert duplicate key.')
  }
  const row = environment.store.insert(type.set, {
    ...ownership,
    ...given,
    ...keys,
    ...(given['_ownerid_value'] ? { _owninguser_value: given['_ownerid_value'] } : {}),
    ...(type.set === 'contacts' ? { fullname: fullName(given) } : {}),
    [type.key]: id,
    createdon: now,
    modifiedon: now,
    _createdby_value: userId,
    _modifiedby_value: userId,
    _createdonbehalfby_value: behalfId,
    _modifiedonbehalfby_value: behalfId,
  })
  environment.store.executed({ method: operation.method, entitySet: type.set, id })
  insertRelated(environment, operation, type, row, body)
  return row
}

/** Creates rows nested in the body of another one: `contact_customer_accounts: [{…}]`. */
function insertRelated(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  body: JsonObject,
): void {
  for (const [name, value] of Object.entries(body)) {
    const collection = type.collections[name]
    if (collection === undefined || !('column' in collection) || !Array.isArray(value)) continue
    for (const each of (value as readonly Json[]).filter(isObject)) {
      insert(environment, operation, typeOf(collection.set), each, { [collection.column]: String(row[type.key]) })
    }
  }
}

/** The columns that a body sets, checked against their types. */
function changesOf(environment: Environment, operation: Operation, type: EntityType, body: JsonObject): Row {
  const changes: Record<string, Value> = {}
  for (const [name, value] of Object.entries(body)) {
    const [column = '', annotation] = name.split('@', 2)
    if (annotation === 'odata.bind') bind(column, value)
    else if (annotation !== undefined || readOnlyColumns.has(name)) continue
    else if (!(name in type.collections && Array.isArray(value))) set(name, value)
  }
  return changes

  function set(name: string, value: Json): void {
    const { [name]: column } = type.columns
    const { [name]: lookup } = type.lookups
    if (column !== undefined) changes[name] = valueOf(value, name, column, type)
    else if (lookup !== undefined && (value === null || isObject(value))) nested(lookup, value)
    else throw undeclared(name, type)
  }

  function bind(navigation: string, value: Json): void {
    const lookup = type.lookups[navigation]
    if (lookup === undefined) throw undeclared(navigation, type)
    if (value === null) {
      changes[lookup.column] = null
      return
    }
    if (typeof value !== 'string') throw badPayload(`The value of '${navigation}@odata.bind' is not a text.`, type.set)
    const target = targetRow(environment, operation, value)
    if (target.type.set !== lookup.set) {
      throw badPayload(`A ${target.type.name} cannot be bound to '${navigation}'.`, type.set)
    }
    changes[lookup.column] = target.id
  }

  function nested(lookup: Lookup, value: null | JsonObject): void {
    const target = typeOf(lookup.set)
    const made = value === null ? undefined : insert(environment, operation, target, value, {})
    changes[lookup.column] = made === undefined ? null : String(made[target.key])
  }
}

function checkVersion({ headers }: Operation, row: Row): void {
  const wanted = headers.get('if-match')
  if (wanted === undefined || wanted === '*' || wanted === etagOf(row)) return
  throw new DataverseError(
    412,
    '0x80060882',
    "The version of the existing record doesn't match the RowVersion property provided.",
  )
}

function fullName(row: Row): string {
  return [row['firstname'], row['lastname']].filter((part) => typeof part === 'string').join(' ')
}

function created(environment: Environment, operation: Operation, type: EntityType, row: Row): Reply {
  const address = addressOf(environment, operation, type, row)
  return written(environment, operation, type, row, 201, [
    ['Location', address],
    ['OData-EntityId', address],
  ])
}

function updated(environment: Environment, operation: Operation, type: EntityType, row: Row): Reply {
  const address = addressOf(environment, operation, type, row)
  return written(environment, operation, type, row, 200, [['OData-EntityId', address]])
}

function written(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  status: number,
  headers: readonly Header[],
): Reply {
  if (!preferencesOf(operation).representation) return { status: 204, headers }
  const query = queryOf(queryOptions(splitTarget(operation.target).query), type)
  return representation(status, row, type, query, responseFormat(environment, operation), headers)
}

function addressOf(environment: Environment, operation: Operation, type: EntityType, row: Row): string {
  return `${responseFormat(environment, operation).root}/${type.set}(${String(row[type.key])})`
}
