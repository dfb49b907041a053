import { codeOf } from '../dynamics/limits/parse.ts'
import { header } from '../dynamics/send.ts'
import type { UpstreamResponse } from '../dynamics/send.ts'
import { parseJson } from '../odata/parse-json.ts'
import { decode } from '../outbound/content-coding.ts'

/** What Dynamics reports about changes of its definitions. */
export type MetadataChanges =
  /**
   * `stamp`: the version of the definitions now. `hasChanged`: whether they have changed since the stamp that was sent.
   */
  | { readonly stamp: string; readonly hasChanged: boolean }
  /** The stamp that was sent is older than Dynamics remembers. */
  | 'expired'
  /** The user may not ask, or the service does not know the function. */
  | 'refused'
  | 'unreachable'

/** The URL that asks for the changes since `stamp`. Without a stamp it only asks for the current one. */
export function changesPath(apiRoot: string, stamp: string | undefined): string {
  if (stamp === undefined) return `${apiRoot}/RetrieveMetadataChanges(Query=@q)?@q=${json(NOTHING)}`
  return (
    `${apiRoot}/RetrieveMetadataChanges(Query=@q,DeletedMetadataFilters=@d,ClientVersionStamp=@s)` +
    `?@q=${json(EVERYTHING)}&@d=Microsoft.Dynamics.CRM.DeletedMetadataFilters%27All%27` +
    `&@s=%27${encodeURIComponent(stamp.replaceAll("'", "''"))}%27`
  )
}

/** A condition that no table meets, so that the response has a stamp and no definitions. */
const NOTHING = {
  Criteria: {
    FilterOperator: 'And',
    Conditions: [
      { ConditionOperator: 'Equals', PropertyName: 'LogicalName', Value: { Type: 'System.String', Value: '-' } },
    ],
  },
  Properties: { AllProperties: false, PropertyNames: ['LogicalName'] },
}

const NAME_ONLY = { Properties: { AllProperties: false, PropertyNames: ['SchemaName'] } }

/** All tables, with their columns, relationships and keys, by name only. */
const EVERYTHING = {
  Properties: {
    AllProperties: false,
    PropertyNames: [
      'SchemaName',
      'Attributes',
      'Keys',
      'OneToManyRelationships',
      'ManyToOneRelationships',
      'ManyToManyRelationships',
    ],
  },
  AttributeQuery: NAME_ONLY,
  KeyQuery: NAME_ONLY,
  RelationshipQuery: NAME_ONLY,
}

function json(value: object): string {
  return encodeURIComponent(JSON.stringify(value))
}

/** The largest response that is read, in bytes. It has room for changes of thousands of columns. */
const MAX_RESPONSE_BYTES = 16 * 1024 * 1024

/** Dynamics' error code for an expired stamp. */
const EXPIRED_VERSION_STAMP = 0x80044352

/** Reads the response to {@link changesPath}. */
export async function readChanges(response: UpstreamResponse): Promise<MetadataChanges> {
  const contentEncoding = header(response, 'content-encoding')
  const { status } = response
  if (status >= 500 || status === 429) {
    response.body.dump()
    return 'unreachable'
  }
  const bytes = await response.body.bytes(MAX_RESPONSE_BYTES)
  const text = decode(bytes, contentEncoding, MAX_RESPONSE_BYTES)?.toString() ?? ''
  if (status !== 200) return codeOf(text) === EXPIRED_VERSION_STAMP ? 'expired' : 'refused'
  const { ServerVersionStamp: stamp, EntityMetadata, DeletedMetadata } = parsed(text)
  if (typeof stamp !== 'string' || !Array.isArray(EntityMetadata)) return 'refused'
  return { stamp, hasChanged: EntityMetadata.length > 0 || hasDeletions(DeletedMetadata) }
}

/** Whether something was deleted. An unknown format counts as a deletion. */
function hasDeletions(deleted: unknown): boolean {
  if (deleted === undefined || deleted === null) return false
  return (deleted as { readonly Count?: unknown }).Count !== 0
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  return Object(parseJson(text)) as Readonly<Record<string, unknown>>
}
