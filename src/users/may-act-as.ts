import type { Policy } from '../config/settings/policy.ts'
import { isGuid } from '../odata/guid.ts'
import type { FoundUser } from './pick-user.ts'
import type { NamedUser } from './user-query.ts'

type Users = Pick<Policy, 'users'>

/**
 * Whether a caller may name a user, before the user is looked up. `depends`: the row must be read, because the request
 * names the user by address and the settings list object ids, or the reverse.
 */
export function mayName({ users }: Users, named: NamedUser): 'yes' | 'no' | 'depends' {
  if (users.includes('*')) return 'yes'
  if ('email' in named) {
    if (isAddressListed(users, named.email)) return 'yes'
    return users.some(isGuid) ? 'depends' : 'no'
  }
  if (users.includes(named.objectId)) return 'yes'
  return users.some((user) => user.includes('@')) ? 'depends' : 'no'
}

/** Whether a caller for which this depends on the row may act as the user that was looked up. */
export function mayActAsFound({ users }: Users, { objectId, address }: FoundUser): boolean {
  if (objectId !== undefined && users.includes(objectId.toLowerCase())) return true
  return address !== undefined && isAddressListed(users, address)
}

/**
 * Whether `users` lists an e-mail address, or its domain.
 *
 * @param email matches nothing unless it has exactly one `@`
 */
function isAddressListed(users: Users['users'], email: string): boolean {
  const at = email.indexOf('@')
  if (at < 1 || at !== email.lastIndexOf('@') || /\s/.test(email)) return false
  // Only ASCII is changed to lower case: some other letters would become ASCII, such as the Kelvin sign, which becomes
  // k.
  const folded = /^[\x21-\x7e]+$/.test(email) ? email.toLowerCase() : email
  return users.some((user) => user === folded || (user.startsWith('@') && user === folded.slice(at)))
}
