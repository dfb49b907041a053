import type { Explanation } from '../../explanations/explanation.ts'
import type { Captured } from './capture.ts'

/** One request as the inspector shows it. Everything in it may come from others, and is shown as text. */
export interface InspectorRecord {
  /** The request id, as the log and the caller have it. */
  readonly id: string
  /** Milliseconds since 1970, when its head had arrived. */
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
  /** The user's id, never the address, or whose rights it ran with; `undefined`: it was not sent. */
  readonly user: string | undefined
  readonly explanation: Explanation | undefined
  /** Rows of facts, by heading, in the order in which a person reads them. */
  readonly facts: readonly Fact[]
  /** Milliseconds. */
  readonly times: readonly (readonly [name: string, ms: number])[]
  readonly attempts: readonly Attempt[]
  /** Whether everything that decides what it does is shown: nothing is blanked, and it names no user. */
  readonly isPlain: boolean
  /** Who made the response. */
  readonly responder: 'Dynamics' | 'gateway'
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
  /** Only while the switch was on: the request target and headers as they came, and the bodies. */
  readonly captured: (Captured & { readonly target: string; readonly headers: readonly HeaderLine[] }) | undefined
}

export type Fact = readonly [name: string, value: string]
export type HeaderLine = readonly [name: string, value: string]

/** One time that the request was sent, or why it waited. */
export interface Attempt {
  /** Milliseconds since the request arrived. */
  readonly at: number
  readonly what: string
  readonly ms: number | undefined
}

/** What a list needs of a record. */
export type RecordSummary = Pick<
  InspectorRecord,
  'id' | 'at' | 'method' | 'path' | 'entitySet' | 'target' | 'status' | 'code' | 'ms' | 'caller' | 'user'
> & { readonly number: number }

/** The row of a record in the list. */
export function summaryOf(number: number, record: InspectorRecord): RecordSummary {
  const { id, at, method, path, entitySet, target, status, code, ms, caller, user } = record
  return { number, id, at, method, path: path.slice(0, 300), entitySet, target, status, code, ms, caller, user }
}

/** Bytes that a record takes at most: each character may take two, each list and text some more. */
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
