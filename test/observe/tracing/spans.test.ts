import t from 'tap'

import { lookupRecord, RequestRecord } from '../../../src/dynamics/request-record.ts'
import type { RequestFacts } from '../../../src/observe/request-facts.ts'
import { spansOf } from '../../../src/observe/tracing/spans.ts'

const TRACE = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  parentId: undefined,
  spanId: 'b7ad6b7169203331',
  sampled: true,
}

const FACTS = { id: 'an-id', method: 'POST', entitySet: '$batch', status: 200, ms: 100, caller: 'crm' } as RequestFacts

function spans(record: RequestRecord, facts: Partial<RequestFacts> = {}, origin = 'http://crm.example:8080') {
  const environment = { origin, apiRoot: '/api/data/v9.2' }
  const request = { record, facts: { ...FACTS, ...facts }, isEncrypted: false, environment }
  return spansOf(request)
}

t.test('a lookup span is a child of the wait for the user, or else of the request', async (t) => {
  const record = new RequestRecord('an-id', performance.now(), TRACE)
  const user = lookupRecord(record, '/api/data/v9.2/systemusers?$filter=x')
  user.attemptStarted(user.started, 'GET')
  user.attemptEnded(user.started + 1, 200)
  record.waited('user', record.started, performance.now() - record.started + 1)
  await new Promise((resolve) => setTimeout(resolve, 5))
  const table = lookupRecord(record, '/api/data/v9.2/EntityDefinitions')
  table.attemptStarted(table.started, 'GET')
  const bare = new RequestRecord('an-id', 0, TRACE)
  lookupRecord(bare, '/nothing').attemptStarted(1, 'GET')

  const [root, wait, ...lookups] = spans(record)
  t.match(lookups, [
    { name: 'GET /systemusers', parentId: wait!.spanId },
    { name: 'GET /EntityDefinitions', parentId: root!.spanId },
  ])
  t.match(spans(bare)[1], { name: 'GET /nothing', parentId: TRACE.spanId })
})

t.test('an attempt without a response ends with its request, as a failure', async (t) => {
  const record = new RequestRecord('an-id', 1000, TRACE)
  record.attemptStarted(1010, 'POST')

  const [root, attempt] = spans(record)
  t.equal(attempt!.end, root!.end)
  t.match(attempt, {
    name: 'POST /',
    isFailed: true,
    attributes: {
      'server.address': 'crm.example',
      'server.port': 8080,
      'url.full': 'http://crm.example:8080/api/data/v9.2/',
    },
  })
  t.match(spans(record, {}, 'http://crm.example')[1]!.attributes, { 'server.port': 80 })
})

t.test('the span of an attempt has the kind of its connection', async (t) => {
  const record = new RequestRecord('an-id', 1000, TRACE)
  record.attemptStarted(1010, 'POST')
  record.attemptSent('reserve')
  record.attemptStarted(1020, 'POST')

  const [, first, second] = spans(record)
  t.equal(first!.attributes['gateway.connection'], 'reserve')
  t.notOk('gateway.connection' in second!.attributes)
})

t.test('the span of a request has the fields of its log line', async (t) => {
  const record = new RequestRecord('an-id', 1000, TRACE)
  record.entitySet = '$batch'
  record.dynamicsRequestId = 'at-dynamics'
  record.attemptStarted(1000, 'POST')
  record.attemptEnded(1001, 503)
  record.attemptStarted(1002, 'POST')
  record.attemptEnded(1003, 200)

  const [root, first, second] = spans(record, { target: 'sales', parts: '4×2xx 1×412', status: 502 })
  t.match(root!.attributes, {
    'gateway.target': 'sales',
    'gateway.batch_parts': '4×2xx 1×412',
    'error.type': '502',
  })
  t.notOk('gateway.dynamics_request_id' in first!.attributes)
  t.equal(second!.attributes['gateway.dynamics_request_id'], 'at-dynamics')
})

t.test('the last attempt has the concurrency slot that it used', async (t) => {
  const record = new RequestRecord('an-id', 1000, TRACE)
  record.slotAcquired(3, 52)
  record.attemptStarted(1010, 'GET')

  t.match(spans(record)[1]!.attributes, { 'gateway.slot': 3, 'gateway.slots': 52 })
})
