import {
  BodyTooLarge,
  DynamicsAnswerInvalid,
  IdempotencyKeyReused,
  KeyedRowIdDiffers,
  KeyedRowUnreadable,
} from '../../errors.ts'
import { headersWithout } from '../../odata/flat-headers.ts'
import type { SharedState } from '../../replicas/shared-state.ts'
import { bufferResponse } from '../buffered-response.ts'
import type { BufferedResponse } from '../buffered-response.ts'
import { unlessCancelled } from '../cancellation.ts'
import type { Stage } from '../chain.ts'
import type { OnEvent } from '../events.ts'
import { codeOf } from '../limits/parse.ts'
import { requestIds } from '../request-record.ts'
import { header } from '../send.ts'
import type { UpstreamResponse, IdempotentCreate, OutboundRequest, Send } from '../send.ts'
import { bindsRows, expectedOf, matches } from './compare.ts'
import { membersOf, withMember } from './create-body.ts'
import type { Members } from './create-body.ts'
import { bodyDigest, rowId } from './key.ts'
import { markReplayed, replay, rowRequest } from './replay.ts'
import { tablesOf } from './tables.ts'
import type { Table } from './tables.ts'

/** What creates with an idempotency key need besides `Send`. */
export interface IdempotencyOptions {
  /** Origin of the environment. */
  readonly origin: string
  /** `/api/data/v9.2` */
  readonly apiRoot: string
  /**
   * The key of the hashes used as primary keys. The same in all replicas, and for as long as callers repeat creates.
   */
  readonly salt: string
  /** Remembers creates. It may forget them at any time. */
  readonly state: SharedState
  /** The largest body that is buffered, so that it can be sent again, in bytes. */
  readonly keepBody: number
  readonly onEvent: OnEvent
}

/** How long the create of a key is remembered: 24 h. */
const REMEMBER_MS = 86_400_000

/** Dynamics' code for a row that already exists. */
const DUPLICATE_KEY = 0x80040237

/** How far the clocks of one environment's servers may differ, plus the fraction of a second missing in `createdon`. */
const CLOCK_TOLERANCE_MS = 3000

/** The primary key at the end of an `OData-EntityId`. */
const ROW_ID = /\(([\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12})\)$/i

const MAX_ROW_BYTES = 16 * 1024 * 1024

/** A create that is about to be sent. */
interface KeyedCreate {
  /** The request with the row's primary key in its body. */
  readonly request: OutboundRequest
  readonly keyed: IdempotentCreate
  readonly table: Table
  readonly members: Members
  /** The row's primary key. */
  readonly id: string
  /** The digest of the body without the primary key. */
  readonly digest: string
}

/**
 * Makes creates with an idempotency key safe to retry: the key determines the row's primary key, so that Dynamics
 * itself refuses a second row, whichever gateway sends it and whatever failed. Creates are remembered; if that memory
 * is lost, the row is read and compared with the request.
 *
 * @throws BadIdempotencyKey before anything is sent; IdempotencyKeyReused when the key came with another body
 */
export function idempotentCreates(next: Send, options: IdempotencyOptions): Stage {
  const { origin, apiRoot, salt, state, keepBody, onEvent } = options
  const tables = tablesOf(next, apiRoot)
  /** Creates in progress in this process, by the primary keys of their rows. */
  const running = new Map<string, Promise<void>>()

  return {
    enter: (request) => (request.idempotency === undefined ? undefined : createOnce(request, request.idempotency)),
  }

  async function createOnce(request: OutboundRequest, keyed: IdempotentCreate): Promise<UpstreamResponse> {
    const create = await prepare(request, keyed)
    const { id } = create
    // There is no await between the last check and `set`: only one of the waiting requests continues.
    for (let other = running.get(id); other !== undefined; other = running.get(id)) await waitFor(other, request)
    const answering = execute(create)
    const settled = answering.then(noop, noop).finally(() => running.delete(id))
    running.set(id, settled)
    return answering
  }

  /** All checks and lookups before the request is sent. */
  async function prepare(request: OutboundRequest, keyed: IdempotentCreate): Promise<KeyedCreate> {
    const { body, cancellation, timings } = request
    if (!Buffer.isBuffer(body)) {
      body?.destroy()
      throw new BodyTooLarge(keepBody)
    }
    const began = performance.now()
    const table = await unlessCancelled(cancellation, tables.find(keyed.entitySet, request))
    timings.dynamics += performance.now() - began
    const members = membersOf(body, table.keyColumn)
    const id = rowId(salt, { origin, user: keyed.user, entitySet: keyed.entitySet, key: keyed.key })
    return {
      request: { ...request, body: withMember(body, members, table.keyColumn, id), repeatable: 'keyed' },
      keyed,
      table,
      members,
      id,
      digest: bodyDigest(salt, body),
    }
  }

  async function execute(create: KeyedCreate): Promise<UpstreamResponse> {
    const remembered = await recall(create.id)
    if (remembered !== undefined) {
      if (remembered !== create.digest) return reused(create)
      onEvent({ kind: 'keyed-create', outcome: 'replayed', ...requestIds(create.request.record) })
      return markReplayed(await replay(next, create.request, create.id, origin))
    }
    let sends = 1
    const began = performance.now()
    const request = { ...create.request, onRetry: () => void sends++ }
    const response = await next(request)
    if (response.status === 201 || response.status === 204) {
      refuseOtherId(create, response)
      remember(create)
      onEvent({ kind: 'keyed-create', outcome: 'created', ...requestIds(request.record) })
      return response
    }
    if (response.status < 400) return response
    const refusal = await bufferResponse(response, request)
    if (codeOf(refusal.text) !== DUPLICATE_KEY) return refusal
    return afterDuplicate(create, refusal, sends > 1 ? performance.now() - began : undefined)
  }

  /**
   * Handles a row that already exists, created by an earlier request with the same key, or by this one before its
   * connection broke.
   *
   * @param sending milliseconds since this request was first sent, where it was sent more than once
   */
  async function afterDuplicate(
    create: KeyedCreate,
    refusal: UpstreamResponse,
    sending: number | undefined,
  ): Promise<UpstreamResponse> {
    const { request, table, members, id } = create
    const lookups = bindsRows(members)
      ? await unlessCancelled(request.cancellation, tables.lookups(table, request))
      : undefined
    const expected = expectedOf(members, lookups)
    const columns = new Set([table.keyColumn, ...expected.map(({ column }) => column)])
    const found = await read(request, id, [...columns])
    // Another unique value is duplicate, not this key.
    if (found.status === 404) return refusal
    if (found.status === 403) throw new KeyedRowUnreadable()
    if (found.status !== 200) return found
    const own = sending !== undefined
    if (!matches(rowIn(found), expected) && !(own && (await isOlderThan(request, id, sending)) === false))
      return reused(create)
    remember(create)
    onEvent({ kind: 'keyed-create', outcome: 'recovered', ...requestIds(request.record) })
    const response = await replay(next, request, id, origin)
    return own ? response : markReplayed(response)
  }

  /** Whether a row existed before the last `milliseconds`, by Dynamics' clock; `undefined` if unknown. */
  async function isOlderThan(request: OutboundRequest, id: string, milliseconds: number): Promise<boolean | undefined> {
    const found = await read(request, id, ['createdon'])
    if (found.status !== 200) return undefined
    const age = Date.parse(header(found, 'date') ?? '') - Date.parse(String(rowIn(found)['createdon']))
    return Number.isNaN(age) ? undefined : age > milliseconds + CLOCK_TOLERANCE_MS
  }

  /** Reads columns of a row as the user who creates it. */
  async function read(request: OutboundRequest, id: string, columns: readonly string[]): Promise<BufferedResponse> {
    const path = `${request.path.split('?', 1)[0]!}(${id})?$select=${columns.join(',')}`
    const get = rowRequest(request, path)
    const headers = headersWithout(get.headers, (name) => FORMAT_HEADERS.has(name))
    const response = await next({
      ...get,
      headers: [...headers, 'accept', 'application/json', 'accept-encoding', 'identity'],
    })
    return bufferResponse(response, request, MAX_ROW_BYTES)
  }

  /** The digest remembered for a row's primary key. A failure of the memory counts as forgotten. */
  async function recall(id: string): Promise<string | undefined> {
    return (await state.get(stateKey(id)).catch(() => undefined))?.value
  }

  function remember({ id, digest }: KeyedCreate): void {
    state.set(stateKey(id), digest, REMEMBER_MS).catch(noop)
  }

  /**
   * @throws KeyedRowIdDiffers where Dynamics made a row with another primary key: sent again, it would make a second
   */
  function refuseOtherId({ request, id }: KeyedCreate, response: UpstreamResponse): void {
    const actual = ROW_ID.exec(header(response, 'odata-entityid') ?? '')?.[1]
    if (actual === undefined || actual.toLowerCase() === id) return
    response.body.dump()
    onEvent({ kind: 'keyed-create', outcome: 'id differs', ...requestIds(request.record) })
    throw new KeyedRowIdDiffers(actual)
  }

  function reused({ request }: KeyedCreate): never {
    onEvent({ kind: 'keyed-create', outcome: 'reused', ...requestIds(request.record) })
    throw new IdempotencyKeyReused()
  }
}

/** Waits for another create with the same key. */
async function waitFor(other: Promise<void>, { cancellation, timings, record }: OutboundRequest): Promise<void> {
  const began = performance.now()
  await unlessCancelled(cancellation, other)
  const ms = performance.now() - began
  timings.wait += ms
  record.waited('queue', began, ms)
}

/** Headers that change the format of a row. */
const FORMAT_HEADERS: ReadonlySet<string> = new Set(['accept', 'accept-encoding', 'prefer'])

function rowIn({ text }: BufferedResponse): Members {
  try {
    return JSON.parse(text) as Members
  } catch (cause) {
    throw new DynamicsAnswerInvalid({ cause: cause as Error })
  }
}

function stateKey(id: string): string {
  return `idempotency:${id}`
}

function noop(): void {}
