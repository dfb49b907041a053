import type { Span } from './span.ts'

/** Writes requests to a collector, one span after the other. */
export interface SpanEncoder {
  readonly contentType: string
  readonly add: (span: Span) => void
  /** The size of the spans since the last `take`, in bytes or characters. */
  readonly size: () => number
  /** @returns the request with the spans since the last `take` */
  readonly take: () => Buffer
}

/** The name of the instrumentation scope. */
export const SCOPE_NAME = 'dynamics-gateway'

/** The context of the parent has the flag "remote", and the trace is sampled. */
const SAMPLED_FLAGS = 0x101
const REMOTE_FLAG = 0x200

/** OTLP's flags of a span. */
export function flagsOf({ parentId, isParentRemote }: Span): number {
  return parentId !== undefined && isParentRemote ? SAMPLED_FLAGS | REMOTE_FLAG : SAMPLED_FLAGS
}

/** OTLP's code of the status of a failed span. Others have none. */
export const ERROR_STATUS = 2
