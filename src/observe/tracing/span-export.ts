import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'

import { ROOT_CONTEXT } from '@opentelemetry/api'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base'
import type { SpanExporter } from '@opentelemetry/sdk-trace-base'

import type { TracingSettings } from '../../config/tracing.ts'
import { spansOf } from './spans.ts'
import type { TracedRequest } from './traced-request.ts'

// Loads OpenTelemetry's packages. It is only imported if an endpoint is set.

/** Exports spans to a collector. */
export interface SpanExport {
  /** Whether a trace that begins here is recorded. Other services with the same ratio make the same decision. */
  readonly isSampled: (traceId: string) => boolean
  readonly add: (request: TracedRequest) => void
  readonly close: () => Promise<void>
}

/** The most spans in the queue before another request is added. */
const MAX_QUEUED_SPANS = 2048

/** How long a shutdown waits until the last spans are sent, in milliseconds. */
const FLUSH_TIMEOUT_MS = 2000

/** The most spans of one request. Its attempts, waits and lookups are limited, too. */
const MAX_SPANS_OF_A_REQUEST = 512

/**
 * Opens an export to the collector, over connections of its own that never carry access tokens.
 *
 * @param onLost called with the number of lost spans, and the cause
 */
export function openSpanExport(
  settings: TracingSettings,
  version: string,
  onLost: (spans: number, cause: string) => void,
): SpanExport {
  const agent = agentFor(settings)
  const options = {
    url: settings.url,
    headers: { ...settings.headers() },
    timeoutMillis: settings.timeoutMs,
    // The type is an enumeration of a package that is not a direct dependency.
    compression: settings.compression as never,
    httpAgentOptions: async () => agent,
  }
  const exporter = settings.protocol === 'http/json' ? new JsonExporter(options) : new ProtobufExporter(options)
  let queued = 0
  const counting: SpanExporter = {
    export(spans, done) {
      queued -= spans.length
      exporter.export(spans, (result) => {
        if (result.error !== undefined) onLost(spans.length, causeOf(result.error))
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
  }
  const processor = new BatchSpanProcessor(counting, {
    maxQueueSize: MAX_QUEUED_SPANS + MAX_SPANS_OF_A_REQUEST,
    // The timeout of the exporter ends an export earlier.
    exportTimeoutMillis: settings.timeoutMs + 1000,
  })
  const origin = {
    resource: defaultResource().merge(resourceFromAttributes({ 'service.version': version, ...settings.resource })),
    scope: { name: 'dynamics-gateway', version },
  }
  const sampler = new TraceIdRatioBasedSampler(settings.sampler.ratio)

  return {
    isSampled: (traceId) =>
      sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED,
    add(request) {
      // No spans are made for a collector that does not keep up.
      if (queued >= MAX_QUEUED_SPANS) return onLost(1, 'the queue is full')
      for (const span of spansOf(request, origin)) {
        queued += 1
        processor.onEnd(span)
      }
    },
    async close() {
      const flushed = processor.shutdown().catch(() => undefined)
      await Promise.race([flushed, sleep(FLUSH_TIMEOUT_MS, undefined, { ref: false })])
      closeAgent(agent)
    },
  }
}

function agentFor({ url, tls }: TracingSettings): HttpAgent {
  return url.startsWith('http:')
    ? new HttpAgent({ keepAlive: true })
    : new HttpsAgent({ keepAlive: true, minVersion: 'TLSv1.2', ...tls() })
}

/** Ends all connections. A later retry of an export fails at once, so that it does not keep the process alive. */
function closeAgent(agent: HttpAgent): void {
  const closed = (_options: object, done: (error: Error) => void): void => done(new Error('closed'))
  Object.assign(agent, { createConnection: closed })
  agent.destroy()
}

/** Why an export failed: the status or the system's error code, but no text of the collector. */
function causeOf(error: Error): string {
  const { code } = error as { readonly code?: unknown }
  if (typeof code === 'number') return `the collector answered ${code}`
  return typeof code === 'string' ? code : 'no response in time, or the collector is busy'
}
