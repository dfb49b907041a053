import type { SpanEncoder } from './span-encoder.ts'
import type { Span } from './span.ts'

/** Spans that are sent together, as the collector gets them. */
export interface SpanBatch {
  readonly bytes: Buffer
  readonly spans: number
}

export interface SpanBatches {
  /** Whether no further spans are accepted, because the collector does not keep up. */
  readonly isFull: () => boolean
  readonly add: (spans: readonly Span[]) => void
  /** Sends the remaining spans without waiting for earlier batches. */
  readonly flush: () => void
}

interface Limits {
  /** The most spans in one batch. */
  readonly maxSpans: number
  /** How long a span waits for others, in milliseconds. */
  readonly delayMs: number
}

/** The most spans that wait or are being sent before another request is added. */
const MAX_WAITING_SPANS = 2048

/** The same in bytes: names of entity sets, which callers choose, may be long. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

/** A batch with more bytes is sent at once. */
const MAX_BATCH_BYTES = 1024 * 1024

/**
 * Collects spans in batches, and sends one after the other. Spans are encoded when they are added: objects that wait for
 * their batch would be copied by the garbage collector, which costs more than the encoding.
 *
 * @param send resolves when the batch is sent or lost, and never rejects
 */
export function spanBatches(
  encoder: SpanEncoder,
  { maxSpans, delayMs }: Limits,
  send: (batch: SpanBatch) => Promise<void>,
): SpanBatches {
  const queue: SpanBatch[] = []
  /** Spans that are added but not in a batch, spans in batches, and the bytes of these. */
  let open = 0
  let batched = 0
  let batchedBytes = 0
  let isSending = false
  let timer: NodeJS.Timeout | undefined

  function closeBatch(): void {
    if (open === 0) return
    const batch = { bytes: encoder.take(), spans: open }
    open = 0
    batched += batch.spans
    batchedBytes += batch.bytes.length
    queue.push(batch)
  }

  async function sendOne(batch: SpanBatch): Promise<void> {
    await send(batch)
    batched -= batch.spans
    batchedBytes -= batch.bytes.length
  }

  async function sendAll(): Promise<void> {
    if (isSending) return
    isSending = true
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) await sendOne(batch)
    isSending = false
    if (open > 0) startTimer()
  }

  function startTimer(): void {
    timer ??= setTimeout(() => {
      timer = undefined
      // While a batch is being sent, the next one grows.
      if (isSending) return
      closeBatch()
      void sendAll()
    }, delayMs).unref()
  }

  return {
    isFull: () => open + batched >= MAX_WAITING_SPANS || encoder.size() + batchedBytes >= MAX_WAITING_BYTES,
    add(spans) {
      for (const span of spans) {
        encoder.add(span)
        open++
        if (open >= maxSpans || encoder.size() >= MAX_BATCH_BYTES) closeBatch()
      }
      if (queue.length > 0) void sendAll()
      if (open > 0) startTimer()
    },
    flush() {
      clearTimeout(timer)
      closeBatch()
      for (const batch of queue.splice(0)) void sendOne(batch)
    },
  }
}
