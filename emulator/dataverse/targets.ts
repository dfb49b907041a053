import type { Operation } from '../http/operation.ts'
import { apiRoot, type Keys, splitTarget, segmentsOf } from './address.ts'
import { type Environment, isOwn } from './environment.ts'
import { badPayload } from './errors.ts'
import { existing } from './keys.ts'
import type { Row } from './rows.ts'
import { entityTypes, type EntityType } from './schema.ts'

/** A row that a URL inside a request refers to. */
export interface Target {
  readonly type: EntityType
  readonly id: string
  readonly row: Row
}

/**
 * The row that `@odata.bind`, `@odata.id` or `$id` refers to: relative to the API root, host-relative, absolute
 * on a host of the environment itself, or `$1` for a row created earlier in the change set.
 */
export function targetRow(environment: Environment, operation: Operation, url: string): Target {
  if (/^[a-z][a-z0-9+.-]*:/i.test(url) && !isOwn(environment, url)) {
    throw badPayload(
      `Microsoft.OData.ODataException: The URI '${url}' is not valid because it is not based on ` +
        `'${operation.origin}/api/data/v9.2/'.`,
    )
  }
  const path = splitTarget(url.replace(/^[a-z]+:\/\/[^/]+/i, '')).path
  const below = path.replace(apiRoot, '').replace(/^\/+/, '')
  const [segment, ...rest] = segmentsOf(resolved(operation, below), new Map())
  const type = entityTypes.get(segment?.name ?? '')
  if (segment?.keys === undefined || type === undefined || rest.length > 0) {
    throw badPayload(`Microsoft.OData.ODataException: Invalid URI '${url}' in an entity reference.`)
  }
  return targetOf(environment, type, segment.keys)
}

/** The row of an entity set with a key; 404 when it does not exist. */
export function targetOf(environment: Environment, type: EntityType, keys: Keys): Target {
  const row = existing(environment, type, keys)
  return { type, row, id: String(row[type.key]) }
}

/** The path with `$1` at its start replaced by the row created earlier in the change set. */
export function resolved(operation: Operation, path: string): string {
  const [, reference, rest = ''] = /^\$(\w+)(\/.*)?$/s.exec(path) ?? []
  if (reference === undefined || reference === 'batch' || reference === 'metadata') return path
  const target = operation.references?.get(reference)
  if (target === undefined) {
    throw badPayload(`Content-ID Reference: '$${reference}' does not exist in the batch context.`)
  }
  return target + rest
}
