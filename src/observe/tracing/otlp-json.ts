import { ERROR_STATUS, flagsOf, SCOPE_NAME } from './span-encoder.ts'
import type { SpanEncoder } from './span-encoder.ts'
import type { Attributes, Span, SpanOrigin } from './span.ts'
import { unixNanoseconds } from './unix-time.ts'

/**
 * Encodes spans as OTLP in JSON.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function jsonEncoder({ resource, version }: SpanOrigin): SpanEncoder {
  const head =
    `{"resourceSpans":[{"resource":${JSON.stringify({ attributes: attributesOf(resource) })},` +
    `"scopeSpans":[{"scope":${JSON.stringify({ name: SCOPE_NAME, version })},"spans":[`
  let spans: string[] = []
  let size = 0
  return {
    contentType: 'application/json',
    add(span) {
      const text = JSON.stringify(spanOf(span))
      spans.push(text)
      size += text.length
    },
    size: () => size,
    take() {
      const bytes = Buffer.from(`${head}${spans.join(',')}]}]}]}`)
      spans = []
      size = 0
      return bytes
    },
  }
}

function spanOf(span: Span): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentId,
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: nanosecondsOf(span.start),
    endTimeUnixNano: nanosecondsOf(span.end),
    attributes: attributesOf(span.attributes),
    status: span.isFailed ? { code: ERROR_STATUS } : {},
    flags: flagsOf(span),
  }
}

/** In protobuf's JSON, 64-bit integers are strings. */
function nanosecondsOf(time: number): string {
  return String(BigInt(unixNanoseconds(time)))
}

function attributesOf(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: value } : { stringValue: value },
  }))
}
