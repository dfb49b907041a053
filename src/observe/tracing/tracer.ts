import type { TracingSettings } from '../../config/tracing.ts'
import { newSpanId, newTraceId } from '../../dynamics/request-record.ts'
import type { RequestRecord } from '../../dynamics/request-record.ts'
import type { Logger } from '../../logging/logger.ts'
import { onceIn } from '../once-in.ts'
import type { TracedRequest } from './traced-request.ts'

/** Traces requests for a collector of OpenTelemetry's. */
export interface Tracer {
  /** Gives a request its place in the caller's trace, or a trace of its own, and decides whether it is recorded. */
  readonly begin: (record: RequestRecord) => void
  /** Makes the spans of a request that is over, where it is recorded. They are sent later. */
  readonly end: (request: TracedRequest) => void
  /** Sends what waits, but not for long. */
  readonly close: () => Promise<void>
}

/** How often the log says that spans were lost, in milliseconds. */
const LOST_LINE_MS = 60_000

/** Makes a tracer. Only this loads OpenTelemetry's packages. */
export async function createTracer(
  settings: TracingSettings,
  version: string,
  log: Pick<Logger, 'warn'>,
): Promise<Tracer> {
  const { openSpanExport } = await import('./span-export.ts')
  const isDue = onceIn(LOST_LINE_MS)
  let lost = 0
  const spans = openSpanExport(settings, version, (count, cause) => {
    lost += count
    if (!isDue('')) return
    log.warn({ spans: lost, cause }, 'spans were lost: the collector does not take them')
    lost = 0
  })
  const { isParentBased } = settings.sampler

  return {
    begin(record) {
      const { trace: caller } = record
      const traceId = caller?.traceId ?? newTraceId()
      const sampled = isParentBased && caller !== undefined ? caller.sampled : spans.samples(traceId)
      record.trace = { traceId, parentId: caller?.parentId, spanId: newSpanId(), sampled }
    },
    end(request) {
      if (request.record.trace?.sampled === true) spans.add(request)
    },
    close: spans.close,
  }
}
