import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import fc from 'fast-check'
import t from 'tap'

import { jsonEncoder } from '../../../src/observe/tracing/otlp-json.ts'
import { protobufEncoder } from '../../../src/observe/tracing/otlp-protobuf.ts'
import { SPAN_KIND } from '../../../src/observe/tracing/span.ts'
import type { Span, SpanOrigin } from '../../../src/observe/tracing/span.ts'
import { unixNanoseconds } from '../../../src/observe/tracing/unix-time.ts'
import { decodeJson } from '../../support/otlp-json.ts'
import { decodeTraces } from '../../support/otlp-protobuf.ts'

/** Random batches per encoder; more with RUNS=1000. */
const RUNS = Number(process.env['RUNS'] ?? 50)

/** Two ids and two times in protobuf, without a name. */
const MIN_SPAN_BYTES = 42

const ORIGIN: SpanOrigin = { resource: { 'service.name': 'gatewäy', 'process.pid': 70_000 }, version: '1.2.3' }

const ENCODERS = [
  { name: 'protobuf', encoder: protobufEncoder, decode: decodeTraces, library: ProtobufTraceSerializer },
  { name: 'JSON', encoder: jsonEncoder, decode: decodeJson, library: JsonTraceSerializer },
]

const ids = (digits: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits })

// Lengths around those that take one, two and three bytes, in ASCII and beyond it.
const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc
    .tuple(fc.constantFrom('a', 'é', '€', '😀', '\ud800'), fc.constantFrom(127, 128, 16_383, 16_384, 70_000))
    .map(([character, length]) => character.repeat(length)),
)

const spans: fc.Arbitrary<Span> = fc.record({
  name: texts,
  kind: fc.constantFrom(...Object.values(SPAN_KIND)),
  traceId: ids(32),
  spanId: ids(16),
  parentId: fc.option(ids(16), { nil: undefined }),
  isParentRemote: fc.boolean(),
  start: fc.double({ min: 0, max: 1e9, noNaN: true }),
  end: fc.double({ min: 0, max: 1e9, noNaN: true }),
  attributes: fc.dictionary(
    fc.string().map((key) => `key.${key}`),
    fc.oneof(texts, fc.nat(), fc.constantFrom(127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER)),
    { maxKeys: 4 },
  ),
  isFailed: fc.boolean(),
})

for (const { name, encoder, decode, library } of ENCODERS) {
  t.test(`${name}: the content is the same as that of OpenTelemetry's encoder`, async (t) => {
    const { add, take, size } = encoder(ORIGIN)
    const check = (batch: readonly Span[]): void => {
      t.equal(size(), 0)
      for (const span of batch) add(span)
      t.ok(size() > MIN_SPAN_BYTES * batch.length)
      t.strictSame(decode(take()), decode(Buffer.from(library.serializeRequest(readable(batch))!)))
    }
    fc.assert(fc.property(fc.array(spans, { minLength: 1, maxLength: 5 }), check), { numRuns: RUNS })
  })
}

type ReadableSpans = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0]

/** Spans in the form of the library. */
function readable(batch: readonly Span[]): ReadableSpans {
  const resource = { attributes: ORIGIN.resource }
  const instrumentationScope = { name: 'dynamics-gateway', version: ORIGIN.version }
  return batch.map(({ traceId, spanId, parentId, ...span }) => ({
    ...span,
    // The library counts from 0.
    kind: span.kind - 1,
    spanContext: () => ({ traceId, spanId, traceFlags: 1 }),
    parentSpanContext:
      parentId === undefined ? undefined : { traceId, spanId: parentId, isRemote: span.isParentRemote },
    startTime: hrTime(span.start),
    endTime: hrTime(span.end),
    status: { code: span.isFailed ? 2 : 0 },
    events: [],
    links: [],
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
    resource,
    instrumentationScope,
  })) as unknown as ReadableSpans
}

/** Seconds and nanoseconds. */
function hrTime(time: number): [number, number] {
  const nanoseconds = BigInt(unixNanoseconds(time))
  return [Number(nanoseconds / 1_000_000_000n), Number(nanoseconds % 1_000_000_000n)]
}
