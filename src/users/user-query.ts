import type { Target } from '../config/schema.ts'

/** The user that a request names: by e-mail address, or by Entra object id in lower case. */
export type NamedUser = { readonly email: string } | { readonly objectId: string }

/** The columns in which an e-mail address is searched, in this order. */
export type EmailColumns = Target['impersonation']['emailColumns']

/** The number of rows to request: more than one address has, including disabled users and wildcard matches. */
export const MAX_ROWS = 50

/** The columns that identify a user, and those that show whether the gateway may act as them. */
export function userColumns(emailColumns: EmailColumns): string {
  return [...new Set([...REQUIRED_COLUMNS, ...emailColumns])].join(',')
}

const REQUIRED_COLUMNS = ['systemuserid', 'azureactivedirectoryobjectid', 'isdisabled', 'applicationid', 'accessmode']

/** How `named` identifies a user, for error messages. */
export function subjectOf(named: NamedUser): string {
  return 'email' in named ? 'this e-mail address' : 'this Entra object id'
}

/** The query for the rows that may match `named`, below the API root. `pickUser` reads the response. */
export function userQuery(named: NamedUser, emailColumns: EmailColumns): string {
  const filter =
    'email' in named
      ? emailColumns.map((column) => `${column}%20eq%20${literalOf(named.email)}`).join('%20or%20')
      : `azureactivedirectoryobjectid%20eq%20${named.objectId}`
  return `/systemusers?$select=${userColumns(emailColumns)}&$filter=${filter}&$top=${MAX_ROWS}`
}

/** `text` as an OData literal in a query: quotes doubled, then percent-encoded. */
function literalOf(text: string): string {
  return encodeURIComponent(`'${text.replaceAll("'", "''")}'`).replaceAll("'", '%27')
}
