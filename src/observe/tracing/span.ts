/** Kinds of spans, by OTLP's numbers. */
export const SPAN_KIND = { internal: 1, server: 2, client: 3 } as const

/** Values are strings or non-negative integers. */
export type Attributes = Readonly<Record<string, string | number>>

/** A finished span. */
export interface Span {
  readonly name: string
  readonly kind: (typeof SPAN_KIND)[keyof typeof SPAN_KIND]
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
  /** 16 hexadecimal digits; `undefined` if the trace begins here. */
  readonly parentId: string | undefined
  /** Whether the parent is a span of the caller. */
  readonly isParentRemote: boolean
  /** Start and end, by `performance.now()`. */
  readonly start: number
  readonly end: number
  readonly attributes: Attributes
  readonly isFailed: boolean
}

/** What all spans of a gateway have in common. */
export interface SpanOrigin {
  /** The attributes of the service and its process. */
  readonly resource: Attributes
  /** The version of the gateway. */
  readonly version: string
}
