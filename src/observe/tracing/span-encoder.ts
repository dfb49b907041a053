import type { Span } from './span.ts'

/** Encodes spans, one after the other, as the body of a request to the collector. */
export interface SpanEncoder {
  readonly contentType: string
  readonly add: (span: Span) => void
  /** The size of the spans since the last `take`, in bytes or characters. */
  readonly size: () => number
  /** @returns the body with the spans since the last `take` */
  readonly take: () => Buffer
}

/** The name of the instrumentation scope. */
export const SCOPE_NAME = 'dynamics-gateway'

/** The trace is sampled (0x001), and the flag REMOTE is valid (0x100). */
const SAMPLED_FLAGS = 0x101
/** The parent is a span of another process. */
const REMOTE_FLAG = 0x200

/** OTLP's flags of a span. */
export function flagsOf({ parentId, isParentRemote }: Span): number {
  return parentId !== undefined && isParentRemote ? SAMPLED_FLAGS | REMOTE_FLAG : SAMPLED_FLAGS
}

/** OTLP's status code of a failed span. Other spans have no status. */
export const ERROR_STATUS = 2
