import { BadRequest } from '../errors.ts'
import { isUserId } from '../odata/guid.ts'
import type { User, UserOrFault } from './caller.ts'

/**
 * The user that a caller names by a caller id header. Dynamics ignores ids that it does not know, and would run the
 * request as the application user, so anything that is not clearly one user's id is a fault.
 *
 * @param name of the header as it was received; MSCRMCallerObjectID is an older name of CallerObjectId
 */
export function userNamedBy(name: string, value: string): UserOrFault {
  if (!isUserId(value)) return fault(`The header ${name} must hold one user's id, a GUID without braces.`)
  switch (name.toLowerCase()) {
    case 'callerobjectid':
    case 'mscrmcallerobjectid':
      return { user: { objectId: value } }
    case 'mscrmcallerid':
      return { user: { systemUserId: value } }
    default:
      return fault(`Write the header CallerObjectId or MSCRMCallerID in place of ${name}.`)
  }
}

/** The fault of a request with several caller ids. */
export function severalCallerIds(): UserOrFault {
  return fault('The request names its user more than once. Send CallerObjectId or MSCRMCallerID once.')
}

/**
 * The header that makes Dynamics act as `user`, flat. The object id is preferred; old or on-premises rows have none.
 */
export function callerIdOf({ objectId, systemUserId }: User): readonly [string, string] {
  return objectId === undefined ? ['MSCRMCallerID', systemUserId!] : ['CallerObjectId', objectId]
}

function fault(sentence: string): UserOrFault {
  return { fault: new BadRequest(sentence) }
}
