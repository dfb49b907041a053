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

// What runs OpenTelemetry's packages. Nobody imports it before there is an endpoint.

/** Spans on their way to a collector. */
export interface SpanExport {
  /** Whether a trace that begins here is recorded. Other services that sample by the same ratio decide alike. */
  readonly samples: (traceId: string) => boolean
  readonly add: (request: TracedRequest) => void
  readonly close: () => Promise<void>
}

/** Spans that wait for the collector at most, with those of the request that comes last. */
const MAX_QUEUED_SPANS = 2048

/** How long the end of the gateway waits for the last spans to be sent, in milliseconds. */
const FLUSH_TIMEOUT_MS = 2000

/** The most spans of one request: attempts, waits and lookups are bounded, too. */
const MAX_SPANS_OF_A_REQUEST = 512

/**
 * Opens the way to the collector: connections of its own, which know nothing of access tokens.
 *
 * @param lost called with the number of lost spans, and why
 */
export function openSpanExport(
  settings: TracingSettings,
  version: string,
  lost: (spans: number, cause: string) => void,
): SpanExport {
  const agent = agentFor(settings)
  const options = {
    url: settings.url,
    headers: { ...settings.headers() },
    timeoutMillis: settings.timeoutMs,
    // An enumeration of a package that is not ours to name.
    compression: settings.compression as never,
    httpAgentOptions: async () => agent,
  }
  const exporter = settings.protocol === 'http/json' ? new JsonExporter(options) : new ProtobufExporter(options)
  let queued = 0
  const counting: SpanExporter = {
    export(spans, done) {
      queued -= spans.length
      exporter.export(spans, (result) => {
        if (result.error !== undefined) lost(spans.length, causeOf(result.error))
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
  }
  const processor = new BatchSpanProcessor(counting, {
    maxQueueSize: MAX_QUEUED_SPANS + MAX_SPANS_OF_A_REQUEST,
    // The exporter's own timeout ends an export before.
    exportTimeoutMillis: settings.timeoutMs + 1000,
  })
  const origin = {
    resource: defaultResource().merge(resourceFromAttributes({ 'service.version': version, ...settings.resource })),
    scope: { name: 'dynamics-gateway', version },
  }
  const sampler = new TraceIdRatioBasedSampler(settings.sampler.ratio)

  return {
    samples: (traceId) => sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED,
    add(request) {
      // No work for a collector that does not keep up.
      if (queued >= MAX_QUEUED_SPANS) return lost(1, 'the queue is full')
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

/** Ends all connections. An export that is repeated later fails at once, so that it does not keep the process. */
function closeAgent(agent: HttpAgent): void {
  const closed = (_options: object, done: (error: Error) => void): void => done(new Error('closed'))
  Object.assign(agent, { createConnection: closed })
  agent.destroy()
}

/** Why an export failed: the status or the system's code, and nothing that the collector wrote. */
function causeOf(error: Error): string {
  const { code } = error as { readonly code?: unknown }
  if (typeof code === 'number') return `the collector answered ${code}`
  return typeof code === 'string' ? code : 'no answer in time, or the collector is busy'
}
