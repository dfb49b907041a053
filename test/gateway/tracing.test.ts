import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

import * as conventions from '@opentelemetry/semantic-conventions'
import t from 'tap'
import type { Test } from 'tap'

import { gatewayFor } from '../support/gateway-for.ts'
import { otlpReceiver } from '../support/otlp-receiver.ts'
import type { ReceivedSpan } from '../support/otlp-receiver.ts'
import { until } from '../support/until.ts'

const USER = { 'x-user-email': 'adele.vance@contoso.com' }
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const [INTERNAL, SERVER, CLIENT] = [1, 2, 3]

/** A gateway that sends its spans soon. */
function tracedGateway(t: Test, variables: Record<string, string>): ReturnType<typeof gatewayFor> {
  return gatewayFor(t, { OTEL_BSP_SCHEDULE_DELAY: '20', ...variables })
}

/** The `traceparent` headers that Dynamics got. */
function sentParents(received: readonly { readonly headers: Readonly<Record<string, unknown>> }[]): string[] {
  return received.map(({ headers }) => String(headers['traceparent']))
}

function named(spans: readonly ReceivedSpan[], name: string): ReceivedSpan[] {
  return spans.filter((span) => span.name === name)
}

t.test('the pages of an NDJSON stream do not count as retries', async (t) => {
  const collector = await otlpReceiver(t)
  const { url } = await tracedGateway(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint })
  const response = await fetch(`${url}/accounts?$select=name`, {
    headers: { accept: 'application/x-ndjson', prefer: 'odata.maxpagesize=40' },
  })
  await response.text()
  const spans = await collector.spansOf(response.headers.get('x-request-id')!)
  const pages = named(spans, 'GET /accounts').filter(({ kind }) => kind === CLIENT)
  t.equal(pages.length, 3)
  for (const { attributes } of pages) t.notOk('http.request.resend_count' in attributes)
})

for (const protocol of ['http/protobuf', 'http/json']) {
  t.test(`a request is one trace from its caller to Dynamics: ${protocol}`, async (t) => {
    const collector = await otlpReceiver(t)
    const { url, emulator } = await tracedGateway(t, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%20b,x-both=all',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-both=traces',
      OTEL_EXPORTER_OTLP_COMPRESSION: protocol === 'http/json' ? 'gzip' : 'none',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,deployment.environment.name=t%2Cest',
      OTEL_SERVICE_NAME: 'crm-gateway',
    })
    emulator.faults.dataverse.push({ kind: 'unavailable', path: '/accounts' })
    const before = emulator.received.length

    const response = await fetch(`${url}/accounts?$top=1`, {
      headers: { ...USER, 'x-request-id': 'the-request', traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'a=b' },
    })
    t.equal(response.status, 200)
    await response.text()

    const spans = await collector.spansOf('the-request')
    const [server] = named(spans, 'GET /accounts').filter(({ kind }) => kind === SERVER)
    t.match(server, { traceId: TRACE, parentSpanId: PARENT, kind: SERVER, status: 0, events: 0 })
    t.match(server!.attributes, {
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'http.route': '/accounts',
      'url.path': '/accounts',
      'url.scheme': 'http',
      'gateway.caller': 'anybody',
      'gateway.user': /^[0-9a-f-]{36}$/,
    })
    const attempts = named(spans, 'GET /accounts').filter(({ kind }) => kind === CLIENT)
    const target = {
      'http.request.method': 'GET',
      'server.address': 'contoso.crm4.dynamics.com',
      'server.port': 443,
      'url.full': 'https://contoso.crm4.dynamics.com/api/data/v9.2/accounts',
    }
    t.match(attempts, [
      {
        parentSpanId: server!.spanId,
        status: 2,
        attributes: { ...target, 'http.response.status_code': 503, 'error.type': '503' },
      },
      {
        parentSpanId: server!.spanId,
        status: 0,
        attributes: { ...target, 'http.response.status_code': 200, 'http.request.resend_count': 1 },
      },
    ])
    t.notOk('http.request.resend_count' in attempts[0]!.attributes)

    const [user] = named(spans, 'user')
    const [lookup] = named(spans, 'GET /systemusers')
    t.match(user, { kind: INTERNAL, parentSpanId: server!.spanId })
    t.match(lookup, { kind: CLIENT, parentSpanId: user!.spanId })
    t.match(named(spans, 'token'), [{ kind: INTERNAL }])
    t.match(named(spans, 'wait'), [{ parentSpanId: server!.spanId, attributes: { 'gateway.wait_reason': 'retry' } }])
    t.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length, 'each has its own id')
    for (const { start, end } of spans) {
      t.ok(end >= start && start >= server!.start - 1_000_000n && end <= server!.end + 1_000_000n, 'within the request')
    }
    t.ok(Math.abs(Number(server!.start / 1_000_000n) - Date.now()) < 60_000, 'by the clock of the machine')

    t.same(
      sentParents(emulator.received.slice(before)),
      [lookup!, ...attempts].map(({ spanId }) => `00-${TRACE}-${spanId}-01`),
      'Dynamics gets the span of each attempt, and not the one of the caller',
    )
    t.equal(emulator.received.at(-1)!.headers['tracestate'], 'a=b')

    const [sent] = collector.exports
    t.equal(sent!.url, '/v1/traces')
    t.equal(sent!.headers['content-type'], protocol === 'http/json' ? 'application/json' : 'application/x-protobuf')
    t.equal(sent!.headers['content-encoding'], protocol === 'http/json' ? 'gzip' : undefined)
    t.match(sent!.headers, { 'x-key': 'a b', 'x-both': 'traces' })
    t.notOk('authorization' in sent!.headers)
    t.match(collector.resources[0], {
      'service.name': 'crm-gateway',
      'service.version': /^\d+\.\d+\.\d+/,
      'deployment.environment.name': 't,est',
      'telemetry.sdk.language': 'nodejs',
    })
    const standard = new Set(Object.values(conventions))
    for (const name of spans.flatMap(({ attributes }) => Object.keys(attributes))) {
      t.ok(name.startsWith('gateway.') || standard.has(name as never), `${name} is a stable convention`)
    }
  })
}

t.test("the caller's sampling decision applies, and the ratio to other requests", async (t) => {
  const collector = await otlpReceiver(t)
  const fixture = await tracedGateway(t, {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.endpoint}/own/path`,
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0',
  })
  const { url, emulator } = fixture
  const ask = async (id: string, headers: Record<string, string> = {}): Promise<void> => {
    const response = await fetch(`${url}/WhoAmI`, { headers: { 'x-request-id': id, ...headers } })
    await response.text()
  }
  await ask('none')
  await ask('unsampled', { traceparent: `00-${TRACE}-${PARENT}-00`, tracestate: 'a=b' })
  await ask('sampled', { traceparent: `00-${TRACE}-${PARENT}-01` })
  await ask('broken', { traceparent: `00-${TRACE}-${PARENT}`, tracestate: 'a=b' })
  await collector.spansOf('sampled')

  t.same([...new Set(collector.spans.map(({ traceId }) => traceId))], [TRACE])
  t.same(
    collector.spans.filter(({ kind }) => kind === SERVER).map(({ attributes }) => attributes['gateway.request_id']),
    ['sampled'],
  )
  t.equal(collector.exports[0]!.url, '/own/path')
  const [none, unsampled, sampled, broken] = sentParents(emulator.received.slice(-4))
  t.match(none, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/, 'downstream services do not decide again')
  t.match(unsampled, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`))
  t.notMatch(unsampled, PARENT)
  t.match(sampled, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))
  t.notMatch(broken, TRACE)
  t.same(
    emulator.received.slice(-4).map(({ headers }) => headers['tracestate']),
    [undefined, 'a=b', undefined, undefined],
    'tracestate is forwarded only with its trace',
  )
  const logged = fixture.lines.filter(({ msg }) => msg === 'request')
  t.same(
    logged.map(({ traceId }) => traceId),
    [none, unsampled, sampled, broken].map((parent) => parent!.split('-')[1]),
    'the log has the trace in any case',
  )
})

t.test("with a sampler that is not parent-based, the caller's sampled flag is ignored", async (t) => {
  const collector = await otlpReceiver(t)
  const { url } = await tracedGateway(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_TRACES_SAMPLER: 'always_on',
  })
  const response = await fetch(`${url}/WhoAmI`, {
    headers: { 'x-request-id': 'all', traceparent: `00-${TRACE}-${PARENT}-00` },
  })
  await response.text()

  t.match((await collector.spansOf('all'))[0], { traceId: TRACE, parentSpanId: PARENT })
})

t.test("spans name errors, and the gateway's own paths are not traced", async (t) => {
  const collector = await otlpReceiver(t)
  const { url, emulator } = await tracedGateway(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    REQUEST_TIMEOUT: '3s',
  })
  const ask = async (id: string, path: string, init: RequestInit = {}): Promise<ReceivedSpan[]> => {
    const response = await fetch(`${url}${path}`, { ...init, headers: { 'x-request-id': id, ...init.headers } })
    await response.text()
    return collector.spansOf(id)
  }
  await fetch(`${url}/-/readyz`, { headers: { 'x-request-id': 'probe' } })

  const unknown = await ask('unknown', '/accounts', { headers: { 'x-user-email': 'nobody@contoso.com' } })
  t.match(unknown[0], {
    status: 0,
    attributes: { 'http.response.status_code': 403, 'gateway.code': 'GATEWAY_USER_UNKNOWN' },
  })
  t.notOk('error.type' in unknown[0]!.attributes, 'a 4xx is not an error of the server span')

  emulator.faults.dataverse.push({ kind: 'hang', path: 'tasks' })
  const late = await ask('late', '/tasks', { method: 'POST', body: '{}', headers: { 'content-type': 'text/plain' } })
  t.match(late[0], { status: 2, attributes: { 'error.type': 'GATEWAY_DYNAMICS_TOO_SLOW' } })
  t.match(
    late.filter(({ kind }) => kind === CLIENT),
    [
      {
        name: 'POST /tasks',
        status: 2,
        attributes: { 'error.type': /^(GATEWAY_DYNAMICS_TOO_SLOW|UND_ERR_HEADERS_TIMEOUT)$/ },
      },
    ],
  )

  const refused = await ask('refused', '/accounts(00000000-0000-0000-0000-00000000abcd)')
  t.match(refused[0], {
    name: 'GET /accounts',
    status: 0,
    attributes: { 'http.response.status_code': 404, 'gateway.dynamics_code': '0x80040217' },
  })

  emulator.faults.dataverse.push({ kind: 'hang', path: 'contacts' })
  const leaving = new AbortController()
  const left = fetch(`${url}/contacts`, { headers: { 'x-request-id': 'left' }, signal: leaving.signal })
  await until(() => emulator.received.some(({ url }) => url.includes('contacts')))
  leaving.abort()
  await t.rejects(left)
  const [server, attempt] = await collector.spansOf('left')
  t.match(server, { status: 2, attributes: { 'error.type': 'ClientDisconnected' } })
  t.notOk('http.response.status_code' in server!.attributes, 'none was exported')
  t.match(attempt, { kind: CLIENT, attributes: { 'error.type': 'ClientDisconnected' } })

  const outside = await ask('outside', '/a%5cb')
  t.match(outside, [{ name: 'GET /', attributes: { 'http.response.status_code': 400 } }])
  t.notOk(collector.spans.some(({ attributes }) => attributes['gateway.request_id'] === 'probe'))
})

t.test('a gateway that cannot listen stops its exporter', async (t) => {
  const collector = await otlpReceiver(t)
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, PORT: new URL(collector.endpoint).port }
  await t.rejects(tracedGateway(t, variables))
})

t.test('histograms have exemplars with trace ids if Prometheus requests OpenMetrics', async (t) => {
  const collector = await otlpReceiver(t)
  const { url } = await tracedGateway(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint })
  await (await fetch(`${url}/WhoAmI`, { headers: { traceparent: `00-${TRACE}-${PARENT}-01` } })).text()

  const page = await fetch(`${url}/-/metrics`, { headers: { accept: 'application/openmetrics-text' } })
  const text = await page.text()
  for (const name of ['own', 'wait', 'dynamics']) {
    t.match(text, new RegExp(`gateway_${name}_seconds_bucket\\{le="[^"]+"\\} 1 # \\{trace_id="${TRACE}"\\}`))
  }
})

t.test('a collector that is unreachable, refuses or hangs does not affect callers', async (t) => {
  const stuck = createServer(() => undefined).listen(0, '127.0.0.1')
  t.teardown(() => stuck.close())
  await once(stuck, 'listening')
  const refusing = await otlpReceiver(t, (response) => void response.writeHead(401).end('who are you?'))
  for (const [endpoint, cause] of [
    ['http://127.0.0.1:9', 'ECONNREFUSED'],
    [refusing.endpoint, 'the collector answered 401'],
    [`http://127.0.0.1:${(stuck.address() as AddressInfo).port}`, 'no response in time, or the collector is busy'],
  ] as const) {
    const fixture = await tracedGateway(t, {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_TIMEOUT: '100',
    })
    const lost = (): Record<string, unknown>[] =>
      fixture.lines.filter(({ msg }) => String(msg).startsWith('spans were lost'))
    for (let asked = 0; lost().length === 0 || asked < 20; asked++) {
      const response = await fetch(`${fixture.url}/WhoAmI`)
      t.equal(response.status, 200)
      await response.text()
    }
    t.match(lost(), [{ level: 'warn', cause, spans: Number }], cause)
    t.equal(lost().length, 1, 'one line a minute')
    const began = performance.now()
    fixture.running.stop()
    await fixture.running.stopped
    t.ok(performance.now() - began < 10_000, 'it does not delay shutdown')
  }
})
