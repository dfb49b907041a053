import type { FastifyReply, FastifyRequest } from 'fastify'

import type { Timings } from '../dynamics/send.ts'
import { errorWord } from '../logging/logged-error.ts'
import { entitySetOf } from '../odata/entity-set.ts'
import type { ConnectionUse } from '../outbound/pooled-connection.ts'
import { ClientDisconnected } from '../server/exchange.ts'

/** The fields of a request's log line. Never its query, keys, body, headers or e-mail address. */
export interface RequestFacts {
  readonly id: string
  readonly traceId: string | undefined
  readonly target: string | undefined
  readonly method: string
  readonly entitySet: string
  readonly status: number
  /** The code of the gateway's own error. */
  readonly code: string | undefined
  /** The code of Dynamics' error: `0x80040217`. */
  readonly dynamicsCode: string | undefined
  /** Total milliseconds, unrounded. */
  readonly ms: number
  readonly timings: Timings
  readonly caller: string
  /** The user's id at Dynamics or in Entra, or whose rights it ran with; `undefined` if it was refused before. */
  readonly user: string | undefined
  /** The source of the response, if it did not need its own call. */
  readonly source?: 'memory' | 'shared' | undefined
  readonly priority: 'background' | undefined
  /** How often it was sent to Dynamics. */
  readonly attempts: number
  /** Whether bytes of it may have reached Dynamics. */
  readonly sent: boolean
  /** How its last attempt got its connection to Dynamics. */
  readonly connection: ConnectionUse | undefined
  /** The request's id at Dynamics. */
  readonly dynamicsRequestId: string | undefined
  /** The parts of a `$batch` by status: `4×2xx 1×412`. */
  readonly parts: string | undefined
  /** Pages that were read for a stream of rows, and rows that were written; `undefined` for all else. */
  readonly pages: number | undefined
  readonly rows: number | undefined
  readonly causes: readonly string[] | undefined
  /** When the request ended: milliseconds since 1970. */
  readonly endedAt: number
}

/** Collects the facts of a finished request. */
export function requestFacts(request: FastifyRequest, reply: FastifyReply): RequestFacts {
  const { exchange, caller, user, raw, originalUrl } = request
  const { record, cancellation } = exchange
  const source = record.source === 'dynamics' ? undefined : record.source
  return {
    id: exchange.id,
    traceId: record.trace?.traceId,
    target: record.target,
    method: raw.method!,
    entitySet: record.entitySet ?? entitySetOf(originalUrl),
    // Proxies log 499 for callers that disconnected.
    status:
      exchange.status ??
      (cancellation.reason instanceof ClientDisconnected && !reply.raw.headersSent ? 499 : reply.raw.statusCode),
    code: exchange.code,
    dynamicsCode: record.dynamicsCode,
    ms: performance.now() - exchange.started,
    timings: { ...exchange.timings },
    caller: (caller as typeof caller | undefined)?.name ?? 'unknown',
    user:
      user?.systemUserId ??
      user?.objectId ??
      (record.attempts > 0 || source !== undefined ? record.defaultUser : undefined),
    source,
    priority: record.priority === 'background' ? record.priority : undefined,
    attempts: record.attempts,
    sent: record.sent,
    connection: record.connection,
    dynamicsRequestId: record.dynamicsRequestId,
    parts: record.parts === undefined ? undefined : partsInWords(record.parts),
    pages: record.pages === 0 ? undefined : record.pages,
    rows: record.pages === 0 ? undefined : record.rows,
    causes: exchange.causes ?? (record.bodyError === undefined ? undefined : [errorWord(record.bodyError)]),
    endedAt: Date.now(),
  }
}

/** `4×2xx 1×412`: successes by class, everything else by status. */
export function partsInWords(parts: ReadonlyMap<number, number>): string {
  let well = 0
  const others: [number, number][] = []
  for (const [status, count] of parts) {
    if (status >= 200 && status < 300) well += count
    else others.push([status, count])
  }
  const words = others.sort(([one], [other]) => one - other).map(([status, count]) => `${count}×${status}`)
  return [...(well > 0 ? [`${well}×2xx`] : []), ...words].join(' ')
}

/** Whether the gateway, Dynamics or the network failed. A request for a response from memory only may find none. */
export function isFault({ status, code }: Pick<RequestFacts, 'status' | 'code'>): boolean {
  return status >= 500 && code !== 'GATEWAY_NOT_IN_MEMORY'
}
