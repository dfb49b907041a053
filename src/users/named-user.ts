import type { Target } from '../config/schema.ts'
import { BadRequest, BadUserId } from '../errors.ts'
import { isUserId } from '../odata/guid.ts'
import { soleHeader } from './sole-header.ts'
import { userEmail } from './user-email.ts'
import type { NamedUser } from './user-query.ts'

/** A user that a request names, and by which header. */
export interface SentUser {
  readonly named: NamedUser
  readonly header: string
}

/**
 * Whom the headers of a request name, and by which header; `undefined` when they name nobody.
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

/** The Entra object id that a request carries, in lower case. The empty GUID is nobody's. */
function userObjectId(rawHeaders: readonly string[], name: string): string | undefined {
  const value = soleHeader(rawHeaders, name, (what) => new BadUserId(name, what))?.trim()
  if (value === undefined) return undefined
  if (!isUserId(value)) throw new BadUserId(name, value === '' ? 'it is empty' : 'it is not a GUID of a user')
  return value.toLowerCase()
}
