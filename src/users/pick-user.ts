import { UserAmbiguous, UserDisabled, UserLookupFailed, UserNotPerson, UserUnknown } from '../errors.ts'
import type { UserOrFault } from '../identity/caller.ts'
import { isUserId } from '../odata/guid.ts'
import { OwnError } from '../own-error.ts'

/** The columns that tell who a user is, and whether the gateway may act as them. */
export const COLUMNS =
  'systemuserid,azureactivedirectoryobjectid,internalemailaddress,isdisabled,applicationid,accessmode'

/** Access modes of Microsoft's own people: support user and delegated admin. */
const NOT_OURS = new Set<unknown>([3, 5])

/**
 * The one user of `rows` that `email` means.
 *
 * Dynamics compares without case, perhaps without accents, and takes `_` and `%` for wildcards, so each row is
 * compared again here. Several enabled users are a refusal: taking one of them would be a guess. So is a row that
 * does not say whether its user is disabled, which was asked for.
 *
 * @param rows of the users' table, as parsed JSON
 */
export function pickUser(rows: readonly unknown[], email: string): UserOrFault {
  const matching = rows.filter(isRow).filter((row) => same(row.internalemailaddress, email))
  if (matching.length === 0) return { fault: new UserUnknown() }
  const people = matching.filter(
    (row) => (row.applicationid ?? undefined) === undefined && !NOT_OURS.has(row.accessmode),
  )
  if (people.length === 0) return { fault: new UserNotPerson() }
  if (people.some(({ isdisabled }) => typeof isdisabled !== 'boolean')) {
    return { fault: new UserLookupFailed({ cause: new OwnError("a row of the look-up's answer lacks isdisabled") }) }
  }
  const enabled = people.filter((row) => row.isdisabled === false)
  if (enabled.length === 0) return { fault: new UserDisabled() }
  if (enabled.length > 1) return { fault: new UserAmbiguous() }
  const { systemuserid, azureactivedirectoryobjectid: objectId } = enabled[0]!
  if (!isUserId(systemuserid)) return { fault: new UserUnknown() }
  return { user: { systemUserId: systemuserid, ...(isUserId(objectId) ? { objectId } : {}) } }
}

interface Row {
  readonly systemuserid?: unknown
  readonly azureactivedirectoryobjectid?: unknown
  readonly internalemailaddress?: unknown
  readonly isdisabled?: unknown
  readonly applicationid?: unknown
  readonly accessmode?: unknown
}

function isRow(row: unknown): row is Row {
  return typeof row === 'object' && row !== null
}

function same(address: unknown, email: string): boolean {
  return typeof address === 'string' && address.trim().toLowerCase() === email.toLowerCase()
}
