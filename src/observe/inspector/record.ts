import type { Explanation } from '../../explanations/explanation.ts'
import type { Captured } from './capture.ts'

/** One request for the inspector. Its content is untrusted, and only shown as text. */
export interface InspectorRecord {
  /** The request id, the same as in the log and the response. */
  readonly id: string
  /** When its head arrived, in milliseconds since 1970. */
  readonly at: number
  readonly method: string
  /** The request target, with values blanked. */
  readonly path: string
  readonly entitySet: string
  readonly target: string | undefined
  readonly status: number
  /** The gateway's code, or Dynamics' own. */
  readonly code: string | undefined
  readonly ms: number
  readonly caller: string
  /** The user's id (never the address), or whose rights it ran with; `undefined`: it was not sent. */
  readonly user: string | undefined
  readonly explanation: Explanation | undefined
  /** Rows of facts by heading, in reading order. */
  readonly facts: readonly Fact[]
  /** Milliseconds. */
  readonly times: readonly (readonly [name: string, ms: number])[]
  readonly attempts: readonly Attempt[]
  /** Whether its target is shown completely and it names no user. */
  readonly isPlain: boolean
  /** The source of the response. */
  readonly responder: 'Dynamics' | 'gateway'
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
  /** Only while capturing was on: the raw request target and headers, and the bodies. */
  readonly captured: (Captured & { readonly target: string; readonly headers: readonly HeaderLine[] }) | undefined
}

export type Fact = readonly [name: string, value: string]
export type HeaderLine = readonly [name: string, value: string]

/** One attempt to send the request, or one wait. */
export interface Attempt {
  /** Milliseconds since the request arrived. */
  readonly at: number
  readonly what: string
  readonly ms: number | undefined
}

/** The fields of a record for the list. */
export type RecordSummary = Pick<
  InspectorRecord,
  'id' | 'at' | 'method' | 'path' | 'entitySet' | 'target' | 'status' | 'code' | 'ms' | 'caller' | 'user'
> & { readonly number: number }

/** The row of a record in the list. */
export function summaryOf(number: number, record: InspectorRecord): RecordSummary {
  const { id, at, method, path, entitySet, target, status, code, ms, caller, user } = record
  return { number, id, at, method, path: path.slice(0, 300), entitySet, target, status, code, ms, caller, user }
}

/** Upper bound of a record's memory in bytes: two for each character, plus overhead for lists and strings. */
export function bytesOf(record: InspectorRecord): number {
  return 256 + bytesWithin(record)
}

function bytesWithin(value: unknown): number {
  if (typeof value === 'string') return 32 + 2 * value.length
  if (typeof value !== 'object' || value === null) return 16
  let bytes = 64
  for (const one of Object.values(value)) bytes += bytesWithin(one)
  return bytes
}
