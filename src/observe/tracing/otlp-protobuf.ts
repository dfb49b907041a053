import { ProtobufWriter } from './protobuf-writer.ts'
import { ERROR_STATUS, flagsOf, SCOPE_NAME } from './span-encoder.ts'
import type { SpanEncoder } from './span-encoder.ts'
import type { Span, SpanOrigin } from './span.ts'
import { unixNanoseconds } from './unix-time.ts'

// The numbers of fields are in opentelemetry/proto/trace/v1/trace.proto, and in the files that it imports. See
// https://github.com/open-telemetry/opentelemetry-proto

/** Encodes spans as OTLP in protobuf. */
export function protobufEncoder({ resource, version }: SpanOrigin): SpanEncoder {
  const writer = new ProtobufWriter()
  /** The starts of the messages that contain all spans, innermost first. */
  let openMessages: readonly number[] = []

  /** ExportTraceServiceRequest.resource_spans, and its scope_spans. */
  function begin(): void {
    const resourceSpans = writer.begin(1)
    const resourceStart = writer.begin(1)
    for (const key in resource) writeAttribute(writer, 1, key, resource[key]!)
    writer.end(resourceStart)
    const scopeSpans = writer.begin(2)
    const scope = writer.begin(1)
    writer.text(1, SCOPE_NAME)
    writer.text(2, version)
    writer.end(scope)
    openMessages = [scopeSpans, resourceSpans]
  }

  return {
    contentType: 'application/x-protobuf',
    add(span) {
      if (writer.length === 0) begin()
      writeSpan(writer, span)
    },
    size: () => writer.length,
    take() {
      for (const start of openMessages) writer.end(start)
      return writer.take()
    },
  }
}

function writeSpan(writer: ProtobufWriter, span: Span): void {
  const { parentId, attributes } = span
  const start = writer.begin(2)
  writer.hex(1, span.traceId)
  writer.hex(2, span.spanId)
  if (parentId !== undefined) writer.hex(4, parentId)
  writer.text(5, span.name)
  writer.number(6, span.kind)
  writer.fixed64(7, unixNanoseconds(span.start))
  writer.fixed64(8, unixNanoseconds(span.end))
  for (const key in attributes) writeAttribute(writer, 9, key, attributes[key]!)
  if (span.isFailed) {
    const status = writer.begin(15)
    writer.number(3, ERROR_STATUS)
    writer.end(status)
  }
  writer.fixed32(16, flagsOf(span))
  writer.end(start)
}

function writeAttribute(writer: ProtobufWriter, field: number, key: string, value: string | number): void {
  const start = writer.begin(field)
  writer.text(1, key)
  const anyValue = writer.begin(2)
  if (typeof value === 'number') writer.number(3, value)
  else writer.text(1, value)
  writer.end(anyValue)
  writer.end(start)
}
