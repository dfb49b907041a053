import type { RequestRecord } from '../../dynamics/request-record.ts'
import type { RequestFacts } from '../request-line.ts'

/** A request that is over, as far as its spans show it. */
export interface TracedRequest {
  readonly facts: RequestFacts
  readonly record: RequestRecord
  /** Whether the caller's connection is encrypted. */
  readonly isEncrypted: boolean
  /** Where it was sent; `undefined`: it was refused before it got to a target. */
  readonly environment: { readonly origin: string; readonly apiRoot: string } | undefined
}
