import type { TracingSettings } from '../../config/tracing.ts'
import type { RequestRecord } from '../../dynamics/request-record.ts'
import { newSpanId, newTraceId } from '../../dynamics/trace-context.ts'
import type { Logger } from '../../logging/logger.ts'
import { onceIn } from '../once-in.ts'
import type { TracedRequest } from './traced-request.ts'

/** Traces requests, for an OpenTelemetry collector. */
export interface Tracer {
  /** Continues the caller's trace or starts a new one, and decides whether the request is recorded. */
  readonly begin: (record: RequestRecord) => void
  /** Makes the spans of a completed request, if it is recorded. They are sent later. */
  readonly end: (request: TracedRequest) => void
  /** Sends the queued spans, for a limited time. */
  readonly close: () => Promise<void>
}

/** The shortest time between two log lines about lost spans, in milliseconds. */
const LOST_LOG_INTERVAL_MS = 60_000

/** Makes a tracer. Only this function loads OpenTelemetry's packages. */
export async function createTracer(
  settings: TracingSettings,
  version: string,
  log: Pick<Logger, 'warn'>,
): Promise<Tracer> {
  const { openSpanExport } = await import('./span-export.ts')
  const isDue = onceIn(LOST_LOG_INTERVAL_MS)
  let lost = 0
  const spans = openSpanExport(settings, version, (count, cause) => {
    lost += count
    if (!isDue('')) return
    log.warn({ spans: lost, cause }, 'spans were lost: the collector does not accept them')
    lost = 0
  })
  const { isParentBased } = settings.sampler

  return {
    begin(record) {
      const { trace: caller } = record
      const traceId = caller?.traceId ?? newTraceId()
      const sampled = isParentBased && caller !== undefined ? caller.sampled : spans.isSampled(traceId)
      record.trace = { traceId, parentId: caller?.parentId, spanId: newSpanId(), sampled }
    },
    end(request) {
      if (request.record.trace?.sampled === true) spans.add(request)
    },
    close: spans.close,
  }
}
