import { LRUCache } from 'lru-cache'

import { BadIdempotencyKey, isGatewayError, LimitHolds, retryLater, TableLookupFailed } from '../../errors.ts'
import { errorOf, explainDynamics } from '../../explanations/dynamics-errors.ts'
import { inOneLine } from '../../explanations/explanation.ts'
import { OwnError } from '../../logging/own-error.ts'
import { parseJson } from '../../odata/parse-json.ts'
import { retryAfter } from '../../outbound/retry-after.ts'
import { Cancellation } from '../cancellation.ts'
import { internalRead } from '../internal-read.ts'
import { retryDelay } from '../limits/parse.ts'
import { lookupRecord } from '../request-record.ts'
import { header } from '../send.ts'
import type { OutboundRequest, Send } from '../send.ts'
import { singleFlight } from './single-flight.ts'

/** A table whose rows accept a primary key in a create. */
export interface Table {
  readonly logicalName: string
  /** Logical name of the column with the primary key. */
  readonly keyColumn: string
}

/** The request that needs a table. */
export type ParentRequest = Pick<OutboundRequest, 'record' | 'tokens'>

/**
 * The table definitions of an environment, cached for all. They are read as the application user, or as the person
 * whose token came with the request.
 */
export interface Tables {
  /**
   * The table behind an entity set.
   *
   * @throws BadIdempotencyKey when there is no table whose rows accept a chosen key; TableLookupFailed
   */
  readonly find: (entitySet: string, parent: ParentRequest) => Promise<Table>
  /** The lookup columns of a table, by their navigation properties. */
  readonly lookups: (table: Table, parent: ParentRequest) => Promise<ReadonlyMap<string, string>>
}

const MAX_TABLES = 2000
const REMEMBER_MS = 10 * 60_000
/** A table can be created at any time. The cache is for callers that keep asking for one that does not exist. */
const REMEMBER_UNSUITABLE_MS = 60_000
const LOOKUP_TIMEOUT_MS = 10_000
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024

const COLUMNS = 'LogicalName,EntitySetName,PrimaryIdAttribute,TableType,IsIntersect,IsLogicalEntity,DataProviderId'

/** Reads the definitions at `apiRoot` with `send`. */
export function tablesOf(send: Send, apiRoot: string): Tables {
  const found = new LRUCache<string, Table>({ max: MAX_TABLES, ttl: REMEMBER_MS })
  const unsuitable = new LRUCache<string, string>({ max: MAX_TABLES, ttl: REMEMBER_UNSUITABLE_MS })
  const lookups = new LRUCache<string, ReadonlyMap<string, string>>({ max: MAX_TABLES, ttl: REMEMBER_MS })
  const tableFlight = singleFlight<Table>()
  const lookupFlight = singleFlight<ReadonlyMap<string, string>>()

  return {
    async find(entitySet, parent) {
      const known = found.get(entitySet)
      if (known !== undefined) return known
      const fault = unsuitable.get(entitySet)
      if (fault !== undefined) throw new BadIdempotencyKey(fault)
      // A person without the right to read the definition must not fail the request of another.
      if (parent.tokens !== undefined) return findTable(entitySet, parent)
      return tableFlight(entitySet, () => findTable(entitySet, parent))
    },
    async lookups(table, parent) {
      const { logicalName } = table
      const known = lookups.get(logicalName)
      if (known !== undefined) return known
      if (parent.tokens !== undefined) return findLookups(logicalName, parent)
      return lookupFlight(logicalName, () => findLookups(logicalName, parent))
    },
  }

  async function findTable(entitySet: string, parent: ParentRequest): Promise<Table> {
    const rows = await readRows(
      `EntityDefinitions?$select=${COLUMNS}&$filter=EntitySetName%20eq%20%27${entitySet}%27`,
      parent,
    )
    const table = tableIn(rows, entitySet)
    if (typeof table === 'string') {
      unsuitable.set(entitySet, table)
      throw new BadIdempotencyKey(table)
    }
    found.set(entitySet, table)
    return table
  }

  async function findLookups(logicalName: string, parent: ParentRequest): Promise<ReadonlyMap<string, string>> {
    const rows = await readRows(
      `EntityDefinitions(LogicalName=%27${logicalName}%27)/ManyToOneRelationships` +
        '?$select=ReferencingAttribute,ReferencingEntityNavigationPropertyName',
      parent,
    )
    const columns = new Map(
      rows.map((row) => {
        const { ReferencingEntityNavigationPropertyName: navigation, ReferencingAttribute: column } = row as Definition
        return [String(navigation), String(column)]
      }),
    )
    lookups.set(logicalName, columns)
    return columns
  }

  /** The rows at `resourcePath`. */
  function readRows(resourcePath: string, parent: ParentRequest): Promise<readonly unknown[]> {
    const request = definitionRequest(`${apiRoot}/${resourcePath}`, parent)
    const timer = setTimeout(() => request.cancellation.cancel(lookupFailed('it took too long')), LOOKUP_TIMEOUT_MS)
    return sendForRows(request)
      .catch((error: unknown) => {
        // The gateway's own errors contain the fix.
        throw isGatewayError(error) ? error : new TableLookupFailed({ cause: error as Error })
      })
      .finally(() => clearTimeout(timer))
  }

  async function sendForRows(request: OutboundRequest): Promise<readonly unknown[]> {
    const response = await send(request)
    const body = await response.body.bytes(MAX_RESPONSE_BYTES)
    // A limit is not a failure of the lookup: it applies to the caller's request as well.
    if (response.status === 429) {
      throw retryLater(new LimitHolds(), retryDelay(retryAfter(header(response, 'retry-after'), Date.now()), 1))
    }
    const json = parseJson(body.toString('utf8'))
    const rows = (json as { value?: unknown } | undefined)?.value
    if (response.status === 200 && Array.isArray(rows)) return rows
    const error = errorOf(response.status, (name) => header(response, name), json)
    throw lookupFailed(
      inOneLine(explainDynamics({ ...error, impersonated: false, delegated: request.tokens !== undefined })),
    )
  }
}

interface Definition {
  readonly LogicalName?: unknown
  readonly EntitySetName?: unknown
  readonly PrimaryIdAttribute?: unknown
  readonly TableType?: unknown
  readonly IsIntersect?: unknown
  readonly IsLogicalEntity?: unknown
  readonly DataProviderId?: unknown
  readonly ReferencingAttribute?: unknown
  readonly ReferencingEntityNavigationPropertyName?: unknown
}

/** Types of tables with rows in the environment's own database, where a key is unique. */
const STORED_TABLE_TYPES: ReadonlySet<unknown> = new Set(['Standard', 'Activity'])
/** Tables whose rows Dynamics creates itself, as parts or as a common view of others. */
const SYSTEM_TABLES: ReadonlySet<unknown> = new Set(['activityparty', 'activitypointer'])

/**
 * The table of `entitySet` among `rows` of `EntityDefinitions`, or why its rows cannot be given a key, as the rest of a
 * sentence. An elastic table accepts the same key in another partition; a virtual table belongs to another system.
 */
export function tableIn(rows: readonly unknown[], entitySet: string): Table | string {
  const row = (rows as readonly Definition[]).find(({ EntitySetName: name }) => name === entitySet)
  if (row === undefined) return `${entitySet} is not an entity set, and the key of an action or function cannot be kept`
  const { LogicalName: logicalName, PrimaryIdAttribute: keyColumn, TableType: type } = row
  const isName = (name: unknown): name is string => typeof name === 'string' && /^\w+$/.test(name)
  if (
    !STORED_TABLE_TYPES.has(type) ||
    row.IsIntersect !== false ||
    row.IsLogicalEntity !== false ||
    (row.DataProviderId ?? undefined) !== undefined ||
    SYSTEM_TABLES.has(logicalName) ||
    !isName(logicalName) ||
    !isName(keyColumn)
  ) {
    return `rows of ${entitySet} cannot be given a primary key that is unique (elastic, virtual and intersect tables)`
  }
  return { logicalName, keyColumn }
}

function lookupFailed(why: string): Error {
  return new TableLookupFailed({ cause: new OwnError(`the definition of the table could not be read: ${why}`) })
}

function definitionRequest(path: string, { record, tokens }: ParentRequest): OutboundRequest {
  return internalRead({
    path,
    tokens,
    fairnessKey: 'lookups of tables',
    cancellation: new Cancellation(),
    record: lookupRecord(record, path),
  })
}
