import { isUserId } from '../odata/guid.ts'
import type { User } from './caller.ts'

/**
 * The user that a caller names by a caller id of its own, or what is wrong with that: Dynamics ignores what it does
 * not know, and the request would run as the application user.
 *
 * @param name of the header as it was spelt; MSCRMCallerObjectID is an older name of CallerObjectId
 */
export function userNamedBy(name: string, value: string): User | string {
  if (!isUserId(value)) return `The header ${name} must hold one user's id, a GUID without braces.`
  switch (name.toLowerCase()) {
    case 'callerobjectid':
    case 'mscrmcallerobjectid':
      return { objectId: value }
    case 'mscrmcallerid':
      return { systemUserId: value }
    default:
      return `Write the header CallerObjectId or MSCRMCallerID in place of ${name}.`
  }
}
