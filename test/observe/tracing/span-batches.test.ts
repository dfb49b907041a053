import t from 'tap'

import { protobufEncoder } from '../../../src/observe/tracing/otlp-protobuf.ts'
import { spanBatches } from '../../../src/observe/tracing/span-batches.ts'
import type { SpanBatch } from '../../../src/observe/tracing/span-batches.ts'
import { SPAN_KIND } from '../../../src/observe/tracing/span.ts'
import type { Span } from '../../../src/observe/tracing/span.ts'
import { decodeTraces } from '../../support/otlp-protobuf.ts'
import { until } from '../../support/until.ts'

function span(name: string): Span {
  return {
    name,
    kind: SPAN_KIND.internal,
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    parentId: undefined,
    isParentRemote: false,
    start: 0,
    end: 1,
    attributes: {},
    isFailed: false,
  }
}

function spans(count: number, name = 'a'): Span[] {
  return Array.from({ length: count }, () => span(name))
}

/** Batches whose sending lasts until `finish`. */
function batches(limits: { maxSpans: number; delayMs: number }) {
  const sent: SpanBatch[] = []
  const sending: (() => void)[] = []
  const send = (batch: SpanBatch): Promise<void> => {
    sent.push(batch)
    return new Promise((resolve) => sending.push(resolve))
  }
  const counts = (): number[] => sent.map(({ spans }) => spans)
  const encoder = protobufEncoder({ resource: {}, version: '1' })
  const { add, ...rest } = spanBatches<Span>(encoder, (span) => [span], limits, send)
  return { ...rest, add: (spans: readonly Span[]) => spans.forEach(add), sent, sending, counts }
}

const LONG_MS = 1e6

t.test('a full batch is sent at once, and the next one when the first has been sent', async (t) => {
  const { add, sent, sending, counts } = batches({ maxSpans: 2, delayMs: LONG_MS })
  add(['a', 'b', 'c', 'd', 'e'].map(span))
  t.same(counts(), [2])
  sending[0]!()
  await until(() => sent.length === 2)
  sending[1]!()
  await new Promise(setImmediate)

  t.same(counts(), [2, 2], 'the fifth waits for others')
  t.same(
    sent.map(({ bytes }) => decodeTraces(bytes)[0]!.spans.map(({ name }) => name)),
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  )
})

t.test('an incomplete batch is sent after the delay', async (t) => {
  const { add, sent, sending, counts } = batches({ maxSpans: 100, delayMs: 5 })
  add(spans(1))
  add(spans(2))
  await until(() => sent.length === 1)
  add(spans(4))
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.same(counts(), [3], 'a batch that is being sent delays the next one, which grows')
  add(spans(1))
  await new Promise((resolve) => setTimeout(resolve, 20))
  sending[0]!()
  await until(() => sent.length === 2)
  sending[1]!()
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.same(counts(), [3, 5], 'nothing is sent without spans')
})

t.test('the number of spans that wait or are being sent is limited', async (t) => {
  const { add, isFull, sending } = batches({ maxSpans: 512, delayMs: LONG_MS })
  add(spans(2047))
  t.notOk(isFull())
  add(spans(1))
  t.ok(isFull())
  sending[0]!()
  await until(() => !isFull())
})

t.test('the size of spans that wait or are being sent is limited', async (t) => {
  const { add, isFull, sent } = batches({ maxSpans: 512, delayMs: LONG_MS })
  const long = 'a'.repeat(100_000)
  add(spans(63, long))
  t.notOk(isFull())
  t.equal(sent[0]!.spans, 11, 'a large batch is sent before it has all its spans')
  add(spans(1, long))
  t.ok(isFull())
})

t.test('flush sends all spans, even if an earlier batch is stuck', async (t) => {
  const { add, flush, sending, counts } = batches({ maxSpans: 2, delayMs: 1 })
  flush()
  t.same(counts(), [])
  add(spans(5))
  t.same(counts(), [2])
  flush()
  t.same(counts(), [2, 2, 1])
  for (const finish of sending) finish()
})
