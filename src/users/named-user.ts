import type { Target } from '../config/schema.ts'
import { BadRequest, BadUserId } from '../errors.ts'
import { isUserId } from '../odata/guid.ts'
import { soleHeader } from './sole-header.ts'
import { userEmail } from './user-email.ts'
import type { NamedUser } from './user-query.ts'

/** The user named by a request, and the header. */
export interface SentUser {
  readonly named: NamedUser
  readonly header: string
}

/**
 * The user in the headers of a request, and the header; `undefined` without one.
 *
 * @throws BadUserEmail, BadUserId for a header that does not clearly name one user; BadRequest where both are sent
 */
export function namedUser(
  rawHeaders: readonly string[],
  { header, idHeader }: Pick<Target['impersonation'], 'header' | 'idHeader'>,
): SentUser | undefined {
  const email = userEmail(rawHeaders, header)
  const objectId = userObjectId(rawHeaders, idHeader)
  if (email !== undefined && objectId !== undefined) {
    throw new BadRequest(`The request names its user twice. Send ${header} or ${idHeader}, not both.`)
  }
  if (email !== undefined) return { named: { email }, header }
  return objectId === undefined ? undefined : { named: { objectId }, header: idHeader }
}

/** The Entra object id in a request, in lower case. The empty GUID is not a user. */
function userObjectId(rawHeaders: readonly string[], name: string): string | undefined {
  const value = soleHeader(rawHeaders, name, (what) => new BadUserId(name, what))?.trim()
  if (value === undefined) return undefined
  if (!isUserId(value)) throw new BadUserId(name, value === '' ? 'it is empty' : 'it is not such a GUID')
  return value.toLowerCase()
}
