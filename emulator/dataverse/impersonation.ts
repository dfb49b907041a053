import type { Identity } from '../http/operation.ts'
import { organizationId } from '../registration.ts'
import type { Environment } from './environment.ts'
import { DataverseError, noRow } from './errors.ts'
import { isGuid } from './guid.ts'
import type { Row } from './rows.ts'

/** The identity in an access token. */
export interface Principal {
  readonly applicationId: string
  /** Object id of the person who signed in; `undefined` for a token of the application itself. */
  readonly personId: string | undefined
}

/** The row of the user to whom an access token belongs; 403 when this environment has none. */
export function connectionUser(environment: Environment, { applicationId, personId }: Principal): Row {
  const { applicationUser } = environment.switches
  const row =
    personId === undefined
      ? userWith(environment, 'applicationid', applicationId)
      : userWith(environment, 'azureactivedirectoryobjectid', personId)
  if (row === undefined || (personId === undefined && applicationUser === 'missing')) {
    throw new DataverseError(403, '0x80072560', 'The user is not a member of the organization.')
  }
  if (personId === undefined && applicationUser === 'disabled') throw disabled(row)
  if (personId === undefined && applicationUser === 'without roles') {
    throw new DataverseError(403, '0x80042F09', 'The user has not been assigned any roles.')
  }
  refuseDisabled(row)
  return row
}

/**
 * The user that a request runs as: the one given by `CallerObjectId` or `MSCRMCallerID`, else the connection's own.
 * Like the real service, it ignores an id that belongs to no user. A gateway must not rely on that.
 */
export function identityOf(environment: Environment, connection: Row, headers: ReadonlyMap<string, string>): Identity {
  const objectId = headers.get('callerobjectid') ?? headers.get('mscrmcallerobjectid')
  const userId = headers.get('mscrmcallerid')
  const id = objectId ?? userId
  if (id === undefined) return { user: connection, onBehalfOf: undefined }
  if (!isGuid(id) || (objectId !== undefined && userId !== undefined)) {
    throw new DataverseError(400, '0x80040203', 'Invalid caller id: exactly one header with one GUID is expected.')
  }
  const column = objectId === undefined ? 'systemuserid' : 'azureactivedirectoryobjectid'
  const user = userWith(environment, column, id)
  if (!environment.switches.mayImpersonate) {
    throw new DataverseError(403, '0x8004a110', 'User does not have the privilege to act on behalf another user.')
  }
  if (user === undefined) return unknown(environment, connection, id)
  refuseDisabled(user)
  return user['systemuserid'] === connection['systemuserid']
    ? { user, onBehalfOf: undefined }
    : { user, onBehalfOf: connection }
}

function unknown({ switches }: Environment, connection: Row, id: string): Identity {
  switch (switches.unknownCaller) {
    case 'ignored':
      return { user: connection, onBehalfOf: undefined }
    case 'forbidden':
      throw new DataverseError(403, '0x80072560', 'The user is not a member of the organization.')
    case 'not found':
      throw noRow('systemuser', id)
  }
}

function userWith({ store }: Environment, column: string, id: string): Row | undefined {
  const wanted = id.toLowerCase()
  const { rows } = store.table('systemusers')
  if (column === 'systemuserid') return rows.get(wanted)
  return [...rows.values()].find((row) => row[column] === wanted)
}

function refuseDisabled(row: Row): void {
  if (row['isdisabled'] === true) throw disabled(row)
}

function disabled(row: Row): DataverseError {
  return new DataverseError(
    400,
    '0x80040225',
    `The user with SystemUserId=${String(row['systemuserid'])} in OrganizationContext=${organizationId} is disabled`,
  )
}
