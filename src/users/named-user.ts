import type { Target } from '../config/schema.ts'
import { BadRequest, BadUserId } from '../errors.ts'
import { isUserId } from '../odata/guid.ts'
import { soleHeader } from './sole-header.ts'
import { userEmail } from './user-email.ts'
import type { NamedUser } from './user-query.ts'

/** The user that a request names, and the header that does it. */
export interface SentUser {
  readonly named: NamedUser
  readonly header: string
}

/**
 * Reads the user from the headers of a request; `undefined` if none names a user.
 *
 * @param userHeaders those headers that name a user, for any target: flat, as received
 * @throws BadUserEmail, BadUserId for a header that does not clearly name one user; BadRequest if both headers are sent
 */
export function namedUser(
  userHeaders: readonly string[] | undefined,
  { header, idHeader }: Pick<Target['impersonation'], 'header' | 'idHeader'>,
): SentUser | undefined {
  if (userHeaders === undefined) return undefined
  const email = userEmail(userHeaders, header)
  const objectId = userObjectId(userHeaders, idHeader)
  if (email !== undefined && objectId !== undefined) {
    throw new BadRequest(`The request names its user twice. Send ${header} or ${idHeader}, not both.`)
  }
  if (email !== undefined) return { named: { email }, header }
  return objectId === undefined ? undefined : { named: { objectId }, header: idHeader }
}

/** The Entra object id in a request, in lower case. The GUID of zeros is refused. */
function userObjectId(rawHeaders: readonly string[], name: string): string | undefined {
  const value = soleHeader(rawHeaders, name, BadUserId)?.trim()
  if (value === undefined) return undefined
  if (!isUserId(value)) throw new BadUserId(name, value === '' ? 'it is empty' : 'it is not a GUID')
  return value.toLowerCase()
}
