import type { Operation } from '../http/operation.ts'
import type { Environment } from './environment.ts'
import { DataverseError } from './errors.ts'
import type { Row } from './rows.ts'
import type { EntityType } from './schema.ts'

/** Applies changes to a row, and records who modified it and when. */
export function store(environment: Environment, operation: Operation, type: EntityType, row: Row, changes: Row): Row {
  mayWrite(operation, type, 'Write')
  const id = String(row[type.key])
  const after = environment.store.replace(type.set, row, { ...changes, ...modifiedBy(operation) })
  environment.store.executed({ method: operation.method, entitySet: type.set, id })
  return after
}

/** Throws 403 when the user may only read. */
export function mayWrite({ identity: { user } }: Operation, { name }: EntityType, privilege: string): void {
  // Access mode 2 is "Read".
  if (user['accessmode'] !== 2) return
  const what = `prv${privilege}${name.charAt(0).toUpperCase()}${name.slice(1)}`
  throw new DataverseError(
    403,
    '0x80040220',
    `Principal user (Id=${String(user['systemuserid'])}, type=8) is missing ` +
      `${what} privilege (Id=7863e80f-0ab2-4d67-a641-37d9f342c7e3) on OTC=1 for entity '${name}'.`,
  )
}

function modifiedBy({ identity: { user, onBehalfOf } }: Operation): Row {
  return {
    modifiedon: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    _modifiedby_value: String(user['systemuserid']),
    _modifiedonbehalfby_value: onBehalfOf ? String(onBehalfOf['systemuserid']) : null,
  }
}
