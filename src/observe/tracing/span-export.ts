import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'

import { ROOT_CONTEXT } from '@opentelemetry/api'
import { createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http'
import { defaultResource } from '@opentelemetry/resources'
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base'

import type { TracingSettings } from '../../config/tracing.ts'
import { jsonEncoder } from './otlp-json.ts'
import { protobufEncoder } from './otlp-protobuf.ts'
import { spanBatches } from './span-batches.ts'
import type { SpanBatch } from './span-batches.ts'
import type { Attributes } from './span.ts'
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

/** How long a shutdown waits until the last spans are sent, in milliseconds. */
const FLUSH_TIMEOUT_MS = 2000

/** The most exports at a time. Only a shutdown starts more than one. */
const MAX_EXPORTS = 30

/**
 * Opens an export to the collector, over its own connections, which never carry access tokens.
 *
 * @param onLost called with the number of lost spans, and the cause
 */
export function openSpanExport(
  settings: TracingSettings,
  version: string,
  onLost: (spans: number, cause: string) => void,
): SpanExport {
  // The SDK's default resource has no attributes that are determined asynchronously.
  const resource = { ...defaultResource().attributes, 'service.version': version, ...settings.resource } as Attributes
  const encoder = (settings.protocol === 'http/json' ? jsonEncoder : protobufEncoder)({ resource, version })
  const agent = agentFor(settings)
  const exporter = createOtlpHttpExportDelegate<SpanBatch, unknown>(
    {
      url: settings.url,
      headers: async () => ({ ...settings.headers(), 'content-type': encoder.contentType }),
      timeoutMillis: settings.timeoutMs,
      compression: settings.compression,
      concurrencyLimit: MAX_EXPORTS,
      agentFactory: () => agent,
    },
    { serializeRequest: ({ bytes }) => bytes, deserializeResponse: () => ({}) },
    'otlp_http_span_exporter',
    { name: 'span', countItems: ({ spans }) => spans },
    undefined,
  )
  const send = (batch: SpanBatch): Promise<void> =>
    new Promise((resolve) => {
      exporter.export(batch, ({ error }) => {
        if (error !== undefined) onLost(batch.spans, causeOf(error))
        resolve()
      })
    })
  const batches = spanBatches(encoder, spansOf, settings.batch, send)
  const sampler = new TraceIdRatioBasedSampler(settings.sampler.ratio)

  return {
    isSampled: (traceId) =>
      sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED,
    add(request) {
      // No spans are made for a collector that does not keep up.
      if (batches.isFull()) return onLost(1, 'the queue is full')
      batches.add(request)
    },
    async close() {
      batches.flush()
      await Promise.race([exporter.forceFlush(), sleep(FLUSH_TIMEOUT_MS, undefined, { ref: false })])
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
