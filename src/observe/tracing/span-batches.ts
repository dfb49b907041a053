import type { SpanEncoder } from './span-encoder.ts'
import type { Span } from './span.ts'

/** Encoded spans that are sent together. */
export interface SpanBatch {
  readonly bytes: Buffer
  readonly spans: number
}

/** Collects the spans of requests, and sends them in batches. */
export interface SpanBatches<Request> {
  /** Whether no further spans are accepted, because the collector does not keep up. */
  readonly isFull: () => boolean
  readonly add: (request: Request) => void
  /** Sends the remaining spans without waiting for earlier batches. */
  readonly flush: () => void
}

interface Limits {
  /** The most spans in one batch. */
  readonly maxSpans: number
  /** How long a span waits for others, in milliseconds. */
  readonly delayMs: number
}

/**
 * Requests whose spans are made and encoded together. Code that runs once per request is cold in the processor's caches:
 * in a row, it takes half as long. The garbage collector rarely runs meanwhile, so it copies few of these requests.
 */
const GROUP_REQUESTS = 32

/** The most spans that wait or are being sent. Before its spans are made, a request counts as one. */
const MAX_WAITING_SPANS = 2048

/** The most bytes of these: names of entity sets, which callers choose, may be long. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

/** A batch with more bytes is sent at once. */
const MAX_BATCH_BYTES = 1024 * 1024

/**
 * Collects the spans of requests in batches, and sends one after the other. Spans are encoded before their batch is full:
 * objects that wait for it would be copied by the garbage collector, which costs more than the encoding.
 *
 * @param send resolves when the batch is sent or lost, and never rejects
 */
export function spanBatches<Request>(
  encoder: SpanEncoder,
  spansOf: (request: Request) => readonly Span[],
  { maxSpans, delayMs }: Limits,
  send: (batch: SpanBatch) => Promise<void>,
): SpanBatches<Request> {
  const groupSize = Math.min(GROUP_REQUESTS, maxSpans)
  let group: Request[] = []
  const queue: SpanBatch[] = []
  /** Encoded spans that are not in a batch yet, spans in batches, and the bytes of the latter. */
  let encodedSpans = 0
  let batchedSpans = 0
  let batchedBytes = 0
  let isSending = false
  let timer: NodeJS.Timeout | undefined

  function closeBatch(): void {
    if (encodedSpans === 0) return
    const batch = { bytes: encoder.take(), spans: encodedSpans }
    encodedSpans = 0
    batchedSpans += batch.spans
    batchedBytes += batch.bytes.length
    queue.push(batch)
  }

  function encodeGroup(): void {
    const requests = group
    group = []
    for (const request of requests) {
      for (const span of spansOf(request)) {
        encoder.add(span)
        encodedSpans++
        if (encodedSpans >= maxSpans || encoder.size() >= MAX_BATCH_BYTES) closeBatch()
      }
    }
  }

  async function sendOne(batch: SpanBatch): Promise<void> {
    await send(batch)
    batchedSpans -= batch.spans
    batchedBytes -= batch.bytes.length
  }

  async function sendAll(): Promise<void> {
    if (isSending) return
    isSending = true
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) await sendOne(batch)
    isSending = false
    startTimer()
  }

  function startTimer(): void {
    if (group.length + encodedSpans === 0) return
    timer ??= setTimeout(() => {
      timer = undefined
      // While a batch is being sent, the next one grows.
      if (isSending) return
      encodeGroup()
      closeBatch()
      void sendAll()
    }, delayMs).unref()
  }

  return {
    isFull: () =>
      group.length + encodedSpans + batchedSpans >= MAX_WAITING_SPANS ||
      encoder.size() + batchedBytes >= MAX_WAITING_BYTES,
    add(request) {
      group.push(request)
      if (group.length >= groupSize) encodeGroup()
      if (queue.length > 0) void sendAll()
      startTimer()
    },
    flush() {
      clearTimeout(timer)
      encodeGroup()
      closeBatch()
      for (const batch of queue.splice(0)) void sendOne(batch)
    },
  }
}
