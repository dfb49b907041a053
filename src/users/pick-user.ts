import { UserAmbiguous, UserDisabled, UserLookupFailed, UserNotPerson, UserUnknown } from '../errors.ts'
import type { User } from '../identity/caller.ts'
import { OwnError } from '../logging/own-error.ts'
import { isUserId } from '../odata/guid.ts'
import { MAX_ROWS, subjectOf } from './user-query.ts'
import type { EmailColumns, NamedUser } from './user-query.ts'

/** A user of the environment that the gateway may act as. */
export interface FoundUser extends User {
  /** The column by which the user was found. */
  readonly foundBy: string
  /** The address in the first of the columns for addresses: lists of allowed users are compared with it. */
  readonly address?: string
}

/** The user, or the error. */
export type LookupResult =
  | { readonly user: FoundUser; readonly fault?: undefined }
  | { readonly user?: undefined; readonly fault: Error }

/** Access modes of Microsoft's staff: support user and delegated admin. */
const MICROSOFT_STAFF_MODES = new Set<unknown>([3, 5])

/**
 * The one user of `rows` that `named` means.
 *
 * Dynamics compares without case, perhaps without accents, and takes `_` and `%` for wildcards, so each row is
 * compared again here. The first column with a match decides, whoever else another column names. Several enabled users
 * are a refusal: taking one of them would be a guess. So are more rows than a lookup reads, and a row that does not say
 * whether its user is disabled, which was asked for.
 *
 * @param rows of the users' table, as parsed JSON
 * @param emailColumns in which an address is looked for, in this order
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
