import type { RequestRecord } from '../../dynamics/request-record.ts'
import type { RequestFacts } from '../request-facts.ts'

/** A completed request, with what its spans need. */
export interface TracedRequest {
  readonly facts: RequestFacts
  readonly record: RequestRecord
  /** Whether the caller's connection is encrypted. */
  readonly isEncrypted: boolean
  /** The environment that it was sent to; `undefined` if it was refused before it reached a target. */
  readonly environment: { readonly origin: string; readonly apiRoot: string } | undefined
}
