import type { Operation, Reply } from '../http/operation.ts'
import { splitTarget, queryOptions, type Segment } from './address.ts'
import { bodyOf } from './body.ts'
import type { Environment } from './environment.ts'
import { badPayload, badQuery, noMethod, noRow, noSegment } from './errors.ts'
import { jsonReply, responseFormat } from './json-reply.ts'
import { followed, related, type ResponseFormat } from './representation.ts'
import type { Row } from './rows.ts'
import { type Collection, type EntityType, type Lookup, typeOf } from './schema.ts'
import { type Target, targetOf, targetRow } from './targets.ts'
import { store } from './update.ts'

/** `…/<navigation>/$ref`: reads, adds, sets or removes references between rows. */
export function reference(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  navigation: Segment,
): Reply {
  const { name } = navigation
  const lookup = type.lookups[name]
  if (lookup !== undefined) return single(environment, operation, type, row, lookup)
  const collection = type.collections[name]
  if (collection === undefined) throw noSegment(name)
  return many(environment, operation, type, row, collection, navigation)
}

function single(environment: Environment, operation: Operation, type: EntityType, row: Row, lookup: Lookup): Reply {
  switch (operation.method) {
    case 'GET': {
      const target = followed(environment, row, lookup)
      if (target === undefined) return { status: 204, headers: [] }
      const format = responseFormat(environment, operation)
      return jsonReply(
        200,
        {
          '@odata.context': `${format.root}/$metadata#$ref`,
          '@odata.id': addressOf(format, target.type, target.row),
        },
        format,
      )
    }
    case 'PUT': {
      const target = named(environment, operation, type, lookup.set)
      store(environment, operation, type, row, { [lookup.column]: target.id })
      return { status: 204, headers: [] }
    }
    case 'DELETE': {
      store(environment, operation, type, row, { [lookup.column]: null })
      return { status: 204, headers: [] }
    }
    default:
      throw noMethod(operation.method)
  }
}

function many(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  collection: Collection,
  { keys }: Segment,
): Reply {
  const target = typeOf(collection.set)
  switch (operation.method) {
    case 'GET': {
      const format = responseFormat(environment, operation)
      const value = related(environment, type, row, collection).map((each) => ({
        '@odata.id': addressOf(format, target, each),
      }))
      return jsonReply(200, { '@odata.context': `${format.root}/$metadata#Collection($ref)`, value }, format)
    }
    case 'POST': {
      link(environment, operation, type, row, collection, named(environment, operation, type, collection.set), true)
      return { status: 204, headers: [] }
    }
    case 'DELETE': {
      const url = queryOptions(splitTarget(operation.target).query).get('$id')
      if (url === undefined && keys === undefined) throw badQuery('The $id query option is missing.')
      const other =
        keys === undefined ? targetRow(environment, operation, String(url)) : targetOf(environment, target, keys)
      link(environment, operation, type, row, collection, other, false)
      return { status: 204, headers: [] }
    }
    default:
      throw noMethod(operation.method)
  }
}

/** Adds or removes one reference. For one-to-many, the lookup column of the other row holds it. */
function link(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  collection: Collection,
  other: Target,
  linked: boolean,
): void {
  const id = String(row[type.key])
  if ('pairs' in collection) {
    const pair = collection.half === 0 ? `${id}/${other.id}` : `${other.id}/${id}`
    environment.store.relate(collection.pairs, pair, linked)
    environment.store.executed({ method: operation.method, entitySet: type.set, id })
    return
  }
  if (!linked && other.row[collection.column] !== id) throw noRow(other.type.name, other.id)
  store(environment, operation, other.type, other.row, { [collection.column]: linked ? id : null })
}

function named(environment: Environment, operation: Operation, type: EntityType, set: string): Target {
  const url = bodyOf(operation, type.set)['@odata.id']
  if (typeof url !== 'string') throw badPayload("The property '@odata.id' is missing.", type.set)
  const target = targetRow(environment, operation, url)
  if (target.type.set !== set) {
    throw badPayload(`A ${target.type.name} does not fit where a row of '${set}' belongs.`, type.set)
  }
  return target
}

function addressOf({ root }: ResponseFormat, type: EntityType, row: Row): string {
  return `${root}/${type.set}(${String(row[type.key])})`
}
