import type { ReceivedSpan, ResourceSpans } from './otlp-receiver.ts'

// Reads OTLP's protobuf by the field numbers of opentelemetry/proto/trace/v1/trace.proto, independently of the packages
// that write it.

/** A message: for each field number the values in their order, numbers or bytes. */
type Message = Map<number, (bigint | Buffer)[]>

/** An ExportTraceServiceRequest. */
export function decodeTraces(bytes: Buffer): ResourceSpans[] {
  return messages(message(bytes), 1).map((resourceSpans) => ({
    resource: attributesOf(messages(resourceSpans, 1)[0]!, 1),
    scopes: messages(resourceSpans, 2)
      .flatMap((scopeSpans) => messages(scopeSpans, 1))
      .map((scope) => [text(scope, 1), text(scope, 2)]),
    spans: messages(resourceSpans, 2).flatMap((scopeSpans) => messages(scopeSpans, 2).map(spanOf)),
  }))
}

function spanOf(span: Message): ReceivedSpan {
  const [status] = messages(span, 15)
  return {
    traceId: hex(span, 1)!,
    spanId: hex(span, 2)!,
    parentSpanId: hex(span, 4),
    name: text(span, 5),
    kind: Number(number(span, 6)),
    start: number(span, 7),
    end: number(span, 8),
    attributes: attributesOf(span, 9),
    status: status === undefined ? 0 : Number(number(status, 3)),
    events: messages(span, 11).length,
    flags: Number(number(span, 16)),
  }
}

/** Key and value; a value is a string, a boolean, an integer or a double. */
function attributesOf(of: Message, field: number): Record<string, unknown> {
  return Object.fromEntries(
    messages(of, field).map((pair) => {
      const [value] = messages(pair, 2)
      return [text(pair, 1), value!.has(1) ? text(value!, 1) : Number([...value!.values()][0]![0])]
    }),
  )
}

function messages(of: Message, field: number): Message[] {
  return (of.get(field) ?? []).map((bytes) => message(bytes as Buffer))
}

function text(of: Message, field: number): string {
  return (of.get(field)?.[0] as Buffer | undefined)?.toString() ?? ''
}

function hex(of: Message, field: number): string | undefined {
  return (of.get(field)?.[0] as Buffer | undefined)?.toString('hex')
}

function number(of: Message, field: number): bigint {
  return (of.get(field)?.[0] as bigint | undefined) ?? 0n
}

function message(bytes: Buffer): Message {
  const fields: Message = new Map()
  let at = 0
  while (at < bytes.length) {
    const tag = Number(varint())
    const field = tag >> 3
    const values = fields.get(field) ?? []
    fields.set(field, values)
    values.push(valueOf(tag & 7))
  }
  return fields

  function valueOf(wireType: number): bigint | Buffer {
    if (wireType === 0) return varint()
    if (wireType === 1) return bytes.readBigUInt64LE((at += 8) - 8)
    if (wireType === 5) return BigInt(bytes.readUInt32LE((at += 4) - 4))
    const length = Number(varint())
    return bytes.subarray(at, (at += length))
  }

  function varint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
}
