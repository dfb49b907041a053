import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

import type { Test } from 'tap'

import { decodeTraces } from './otlp-protobuf.ts'
import { until } from './until.ts'

/** A span as it arrived. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number
  /** Nanoseconds since 1970. */
  readonly start: bigint
  readonly end: bigint
  readonly attributes: Readonly<Record<string, unknown>>
  /** 0 unset, 2 error. */
  readonly status: number
  readonly events: number
}

/** One export as it arrived. */
export interface Received {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** An OpenTelemetry collector for OTLP over HTTP, in protobuf and in JSON. */
export interface OtlpReceiver {
  readonly endpoint: string
  readonly exports: Received[]
  readonly resources: Readonly<Record<string, unknown>>[]
  readonly spans: ReceivedSpan[]
  /** The spans of one request, once the span of the request itself has arrived. */
  readonly spansOf: (requestId: string) => Promise<ReceivedSpan[]>
}

/** Starts a receiver that is closed with the test. `answer` replaces its 200; with `tls` it uses HTTPS. */
export async function otlpReceiver(
  t: Test,
  answer: (response: ServerResponse) => void = (response) => void response.end(),
  tls?: { readonly cert: string; readonly key: string },
): Promise<OtlpReceiver> {
  const exports: Received[] = []
  const resources: Readonly<Record<string, unknown>>[] = []
  const spans: ReceivedSpan[] = []
  const listener = (request: IncomingMessage, response: ServerResponse): void => void receive(request, response)
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { url = '', headers } = request
    const sent = Buffer.concat(chunks)
    const body = headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
    exports.push({ url, headers, body })
    const traces = headers['content-type'] === 'application/json' ? fromJson(body) : decodeTraces(body)
    for (const { resource, spans: of } of traces) {
      resources.push(resource)
      spans.push(...of)
    }
    answer(response)
  }

  return {
    endpoint: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exports,
    resources,
    spans,
    async spansOf(requestId) {
      const root = (): ReceivedSpan | undefined =>
        spans.find(({ attributes }) => attributes['gateway.request_id'] === requestId)
      await until(() => root() !== undefined)
      return spans.filter(({ traceId }) => traceId === root()!.traceId)
    },
  }
}

/** Spans with their resource. */
export interface ResourceSpans {
  readonly resource: Readonly<Record<string, unknown>>
  readonly spans: readonly ReceivedSpan[]
}

interface JsonAttribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface JsonSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly JsonAttribute[]
  readonly status: { readonly code: number }
  readonly events: readonly unknown[]
}

/** OTLP's JSON: ids are hexadecimal, 64-bit numbers are texts. */
function fromJson(body: Buffer): ResourceSpans[] {
  const { resourceSpans } = JSON.parse(body.toString()) as {
    resourceSpans: { resource: { attributes: JsonAttribute[] }; scopeSpans: { spans: JsonSpan[] }[] }[]
  }
  return resourceSpans.map(({ resource, scopeSpans }) => ({
    resource: attributesOf(resource.attributes),
    spans: scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId,
        name: span.name,
        kind: span.kind,
        start: BigInt(span.startTimeUnixNano),
        end: BigInt(span.endTimeUnixNano),
        attributes: attributesOf(span.attributes),
        status: span.status.code,
        events: span.events.length,
      })),
  }))
}

function attributesOf(attributes: readonly JsonAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}
