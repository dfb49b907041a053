import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

import type { Test } from 'tap'

import { decodeJson } from './otlp-json.ts'
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
  /** OTLP's flags: 1 sampled, 256 and 512 a remote parent. */
  readonly flags: number
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
    const traces = headers['content-type'] === 'application/json' ? decodeJson(body) : decodeTraces(body)
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

/** Spans with their resource and the names of their scopes. */
export interface ResourceSpans {
  readonly resource: Readonly<Record<string, unknown>>
  readonly scopes: readonly (readonly [name: string, version: string])[]
  readonly spans: readonly ReceivedSpan[]
}
