import type { Operation, Reply } from '../http/operation.ts'
import { apiRoot, type Keys, splitTarget, queryOptions, type Segment, segmentsOf } from './address.ts'
import { backgroundStatus, statusPath } from './background.ts'
import type { Environment } from './environment.ts'
import { DataverseError, noMethod, noSegment } from './errors.ts'
import { fileColumn } from './files.ts'
import { boundToUser, notFound, unbound } from './functions.ts'
import { imageOf } from './images.ts'
import { existing } from './keys.ts'
import { filtered } from './matching.ts'
import { entityDefinitions, metadataDocument, serviceDocument } from './metadata.ts'
import { queryOf } from './query.ts'
import { jsonType, readCollection, readColumn, readRow } from './read.ts'
import { reference } from './references.ts'
import { followed, related } from './representation.ts'
import type { Row } from './rows.ts'
import { entityTypes, type EntityType, typeOf } from './schema.ts'
import { resolved } from './targets.ts'
import { create, remove, upsert, writeColumn } from './write.ts'

/** Executes one operation, or throws. The writes of a failed operation are rolled back. */
export function execute(environment: Environment, operation: Operation): Reply {
  return environment.store.transaction(() => dispatched(environment, operation))
}

/** The response for an error. */
export function errorReply(cause: unknown): Reply {
  const error =
    cause instanceof DataverseError
      ? cause
      : new DataverseError(500, '0x80040216', `An unexpected error occurred. ${String(cause)}`)
  return {
    status: error.status,
    headers: [['Content-Type', jsonType], ...error.headers],
    body: JSON.stringify({ error: { code: error.code, message: error.message } }),
  }
}

function dispatched(environment: Environment, operation: Operation): Reply {
  const { path, query } = splitTarget(operation.target)
  if (/^\/Image\/download\.aspx$/i.test(path)) return imageOf(environment, operation)
  const [, background] = statusPath.exec(path) ?? []
  if (background !== undefined) return backgroundStatus(environment, operation, background)
  if (!apiRoot.test(path) && path !== '/api/data/version') throw notFound(operation)

  const options = queryOptions(query)
  const [first, ...rest] = segmentsOf(below(operation, path), options)
  if (first === undefined) return reading(operation, () => serviceDocument(environment, operation))
  if (first.name === '$metadata') return reading(operation, () => metadataDocument(environment))
  if (first.name === 'EntityDefinitions') {
    return entityDefinitions(environment, operation, first.keys, rest)
  }
  const type = entityTypes.get(first.name)
  if (type === undefined) {
    const reply = rest.length === 0 ? unbound(environment, operation, first) : undefined
    if (reply === undefined) throw noSegment(first.name)
    return reply
  }
  if (first.name === 'systemusers' && operation.method === 'GET' && !environment.switches.mayReadUsers) {
    const {
      identity: { user },
    } = operation
    throw new DataverseError(
      403,
      '0x80040220',
      `Principal user (Id=${String(user['systemuserid'])}, type=8) is ` +
        "missing prvReadUser privilege (Id=ee44e1c5-c6a4-4a91-9c1a-9a1b1e4f1f10) on OTC=8 for entity 'systemuser'.",
    )
  }
  return first.keys === undefined
    ? onCollection(environment, operation, type, [...environment.store.table(type.set).rows.values()], rest, type.set)
    : onRow(environment, operation, type, first.keys, rest)
}

function onCollection(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  rows: readonly Row[],
  rest: readonly Segment[],
  path: string,
): Reply {
  if (rest[0]?.name === '$count') {
    const options = queryOptions(splitTarget(operation.target).query)
    const count = filtered(environment, rows, queryOf(options, type), type, options).length
    return reading(operation, () => ({
      status: 200,
      headers: [['Content-Type', 'text/plain']],
      body: String(Math.min(count, 5000)),
    }))
  }
  if (rest[0] !== undefined) throw noSegment(rest[0].name)
  switch (operation.method) {
    case 'GET':
      return readCollection(environment, operation, type, rows, path)
    case 'POST':
      return create(environment, operation, type)
    default:
      throw noMethod(operation.method)
  }
}

function onRow(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  keys: Keys,
  rest: readonly Segment[],
): Reply {
  const [next, ...after] = rest
  if (next !== undefined) return belowRow(environment, operation, type, existing(environment, type, keys), next, after)
  switch (operation.method) {
    case 'GET':
      return readRow(environment, operation, type, existing(environment, type, keys))
    case 'PATCH':
      return upsert(environment, operation, type, keys)
    case 'PUT':
      return upsert(environment, operation, type, keys)
    case 'DELETE':
      return remove(environment, operation, type, keys)
    default:
      throw noMethod(operation.method)
  }
}

function belowRow(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  next: Segment,
  after: readonly Segment[],
): Reply {
  const { name } = next
  if (after[0]?.name === '$ref') return reference(environment, operation, type, row, next)
  const plain = after[0]?.name === '$value'
  const column = type.columns[name]
  if (column?.type === 'file') return fileColumn(environment, operation, type, row, name, plain)
  if (column !== undefined) {
    switch (operation.method) {
      case 'GET':
        return readColumn(environment, operation, type, row, name, plain)
      case 'PUT':
      case 'DELETE':
        return writeColumn(environment, operation, type, row, name)
      default:
        throw noMethod(operation.method)
    }
  }
  const bound = type.set === 'systemusers' ? boundToUser(environment, operation, row, next) : undefined
  if (bound !== undefined) return bound
  return alongNavigation(environment, operation, type, row, next, after)
}

function alongNavigation(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  { name, keys }: Segment,
  after: readonly Segment[],
): Reply {
  const lookup = type.lookups[name]
  if (lookup !== undefined) {
    const found = followed(environment, row, lookup)
    if (found === undefined) return { status: 204, headers: [] }
    if (after[0] !== undefined) {
      return belowRow(environment, operation, found.type, found.row, after[0], after.slice(1))
    }
    return reading(operation, () => readRow(environment, operation, found.type, found.row))
  }
  const collection = type.collections[name]
  if (collection === undefined) throw noSegment(name)
  const target = typeOf(collection.set)
  if (keys !== undefined) {
    const found = existing(environment, target, keys)
    if (after[0] !== undefined) return belowRow(environment, operation, target, found, after[0], after.slice(1))
    return reading(operation, () => readRow(environment, operation, target, found))
  }
  const path = `${type.set}(${String(row[type.key])})/${name}`
  if (operation.method !== 'GET') throw noMethod(operation.method)
  return onCollection(environment, operation, target, related(environment, type, row, collection), after, path)
}

/** The path after the API root. `/api/data/version` works like the function. */
function below(operation: Operation, path: string): string {
  if (path === '/api/data/version') return 'RetrieveVersion'
  return resolved(operation, path.replace(apiRoot, '').replace(/^\/+/, ''))
}

function reading(operation: Operation, read: () => Reply): Reply {
  if (operation.method !== 'GET') throw noMethod(operation.method)
  return read()
}
