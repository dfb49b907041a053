import { UserAmbiguous, UserDisabled, UserLookupFailed, UserNotPerson, UserUnknown } from '../errors.ts'
import type { User } from '../identity/caller.ts'
import { OwnError } from '../logging/own-error.ts'
import { isUserId } from '../odata/guid.ts'
import { MAX_ROWS, subjectOf } from './user-query.ts'
import type { EmailColumns, NamedUser } from './user-query.ts'

/** A user of the environment that the gateway may act as. */
export interface FoundUser extends User {
  /** The column in which the user was found. */
  readonly foundBy: string
  /** The address in the first address column. Lists of allowed users are compared with it. */
  readonly address?: string
}

/** The user that was found, or the error. */
export type LookupResult =
  | { readonly user: FoundUser; readonly fault?: undefined }
  | { readonly user?: undefined; readonly fault: Error }

/** Access modes of Microsoft staff: support user and delegated admin. */
const MICROSOFT_STAFF_MODES = new Set<unknown>([3, 5])

/**
 * The one user of `rows` that `named` means.
 *
 * Dynamics ignores case, perhaps ignores accents, and treats `_` and `%` as wildcards, so each row is compared again
 * here. The first column with a match decides, whatever the other columns contain. Several enabled users are refused:
 * choosing one of them would be a guess. More rows than a lookup reads are refused too, and so is a row without
 * `isdisabled`.
 *
 * @param rows rows of the users' table, as parsed JSON
 * @param emailColumns the columns in which an address is searched, in this order
 */
export function pickUser(rows: readonly unknown[], named: NamedUser, emailColumns: EmailColumns): LookupResult {
  const subject = subjectOf(named)
  const [columns, wanted] =
    'email' in named ? [emailColumns, named.email] : [['azureactivedirectoryobjectid'], named.objectId]
  if (rows.length >= MAX_ROWS) return { fault: new UserAmbiguous(subject) }
  const candidates = rows.filter(isRow)
  for (const column of columns) {
    const matching = candidates.filter((row) => isSameText(row[column], wanted))
    if (matching.length === 0) continue
    const { row, fault } = enabledPerson(matching, subject)
    if (fault !== undefined) return { fault }
    return { user: userOf(row, column, row[emailColumns[0]!]) }
  }
  return { fault: new UserUnknown(subject) }
}

type Row = Readonly<Record<string, unknown>>

/** The only enabled person among rows with the same address or id. */
function enabledPerson(
  rows: readonly Row[],
  subject: string,
): { readonly row: Row; readonly fault?: undefined } | { readonly row?: undefined; readonly fault: Error } {
  const people = rows.filter(
    (row) => (row['applicationid'] ?? undefined) === undefined && !MICROSOFT_STAFF_MODES.has(row['accessmode']),
  )
  if (people.length === 0) return { fault: new UserNotPerson(subject) }
  if (people.some(({ isdisabled }) => typeof isdisabled !== 'boolean')) {
    return {
      fault: new UserLookupFailed({ cause: new OwnError('a row in the response to the lookup lacks isdisabled') }),
    }
  }
  const enabled = people.filter((row) => row['isdisabled'] === false)
  if (enabled.length === 0) return { fault: new UserDisabled(subject) }
  if (enabled.length > 1) return { fault: new UserAmbiguous(subject) }
  const row = enabled[0]!
  return isUserId(row['systemuserid']) ? { row } : { fault: new UserUnknown(subject) }
}

function userOf({ systemuserid, azureactivedirectoryobjectid: objectId }: Row, foundBy: string, address: unknown) {
  return {
    systemUserId: String(systemuserid),
    ...(isUserId(objectId) ? { objectId } : {}),
    ...(typeof address === 'string' ? { address: address.trim() } : {}),
    foundBy,
  }
}

function isRow(row: unknown): row is Row {
  return typeof row === 'object' && row !== null
}

function isSameText(value: unknown, wanted: string): boolean {
  return typeof value === 'string' && value.trim().toLowerCase() === wanted.toLowerCase()
}
