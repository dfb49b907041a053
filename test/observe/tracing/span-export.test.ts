import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

import { generate } from 'selfsigned'
import t from 'tap'

import { readTracing } from '../../../src/config/tracing.ts'
import { RequestRecord } from '../../../src/dynamics/request-record.ts'
import { newTraceId } from '../../../src/dynamics/trace-context.ts'
import type { RequestFacts } from '../../../src/observe/request-facts.ts'
import { openSpanExport } from '../../../src/observe/tracing/span-export.ts'
import type { TracedRequest } from '../../../src/observe/tracing/traced-request.ts'
import { otlpReceiver } from '../../support/otlp-receiver.ts'

const TRACE = { traceId: '0af7651916cd43dd8448eb211c80319c', parentId: undefined, sampled: true }

/** A finished request with the maximum number of recorded waits. */
function request(waits = 0): TracedRequest {
  const record = new RequestRecord('an-id', performance.now(), { ...TRACE, spanId: 'b7ad6b7169203331' })
  for (let wait = 0; wait < waits; wait++) record.waited('queue', record.started, 1)
  const facts = { id: 'an-id', method: 'BREW', entitySet: 'accounts', status: 200, ms: 5, caller: 'anybody' }
  return { facts: facts as RequestFacts, record, isEncrypted: true, environment: undefined }
}

function settings(variables: NodeJS.Dict<string>) {
  return readTracing(variables, [])!
}

t.test('a collector over TLS must have a certificate from the configured authority', async (t) => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    algorithm: 'sha256',
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  })
  const collector = await otlpReceiver(t, undefined, { cert, key })
  const folder = t.testdir({ 'ca.pem': cert })
  const lost: unknown[] = []
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
  const distrustful = openSpanExport(settings(endpoint), '1', (spans, cause) => lost.push({ spans, cause }))
  const trusting = openSpanExport(
    settings({ ...endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE: `${folder}/ca.pem` }),
    '1',
    () => t.fail('nothing is lost'),
  )
  distrustful.add(request())
  trusting.add(request())
  await Promise.all([distrustful.close(), trusting.close()])

  t.match(lost, [{ spans: 1, cause: /SELF_SIGNED|UNABLE_TO_VERIFY/ }])
  t.match(collector.spans, [
    {
      name: 'HTTP /accounts',
      attributes: { 'http.request.method': '_OTHER', 'http.request.method_original': undefined, 'url.scheme': 'https' },
    },
  ])
})

t.test('the queue for a stalled collector is limited, and no more spans are created', async (t) => {
  const stuck = createServer(() => undefined).listen(0, '127.0.0.1')
  t.teardown(() => stuck.close())
  await once(stuck, 'listening')
  let lost = 0
  const causes = new Set<string>()
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(stuck.address() as AddressInfo).port}` }
  const spans = openSpanExport(settings(endpoint), '1', (count, cause) => {
    lost += count
    causes.add(cause)
  })
  for (let added = 0; added < 200; added++) spans.add(request(50))

  t.ok(lost > 100 && lost < 200, `${lost} requests without spans`)
  t.same([...causes], ['the queue is full'])
  const began = performance.now()
  await spans.close()
  t.ok(performance.now() - began < 5000)
})

t.test('the sampling ratio is applied', async (t) => {
  const spans = openSpanExport(
    settings({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    }),
    '1',
    () => undefined,
  )
  const sampled = Array.from({ length: 4000 }, newTraceId).filter(spans.isSampled)
  await spans.close()
  t.ok(sampled.length > 800 && sampled.length < 1200, `${sampled.length} of 4000`)
  t.match(newTraceId(), /^[0-9a-f]{32}$/)
})
