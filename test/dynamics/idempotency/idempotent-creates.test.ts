import { Readable } from 'node:stream'

import t from 'tap'

import { connectionFixture, outbound, received, service } from '../../support/connection-fixture.ts'
import { until } from '../../support/until.ts'

t.setTimeout(600_000)

const OTHER_ID = '7d8c1c5e-0000-4000-8000-000000000001'
const DEFINITION = {
  LogicalName: 'account',
  EntitySetName: 'accounts',
  PrimaryIdAttribute: 'accountid',
  TableType: 'Standard',
  IsIntersect: false,
  IsLogicalEntity: false,
  DataProviderId: null,
}

function keyedCreate(body: Readable): ReturnType<typeof outbound> {
  return outbound({
    method: 'POST',
    headers: ['content-type', 'application/json'],
    body,
    idempotency: { key: 'a', entitySet: 'accounts', user: '', wantsRow: false },
  })
}

t.test('a row with another primary key than the generated one is not reported as success', async (t) => {
  const origin = await service(t, async (request, response) => {
    await received(request)
    if (request.method === 'GET') return response.end(JSON.stringify({ value: [DEFINITION] }))
    response.writeHead(204, { 'odata-entityid': `${origin}/api/data/v9.2/accounts(${OTHER_ID})` })
    return response.end()
  })
  const { send, events } = connectionFixture(t, origin)

  await t.rejects(send(keyedCreate(Readable.from([Buffer.from('{}')]))), {
    code: 'GATEWAY_KEYED_ROW_ID_DIFFERS',
    statusCode: 502,
    message: new RegExp(OTHER_ID),
  })
  t.match(
    events.filter(({ kind }) => kind === 'keyed-create'),
    [{ outcome: 'id differs' }],
  )
})

t.test(
  'while the memory for bodies is full, a keyed create gets a temporary refusal, and nothing is sent',
  async (t) => {
    const origin = await service(t, (_, response) => response.end())
    const { send } = connectionFixture(t, origin, { keepBody: 64 * 1024 * 1024 })
    const filling = new Readable({ read() {} })
    const waiting = send(outbound({ method: 'POST', body: filling }))
    waiting.catch(() => {})
    filling.push(Buffer.alloc(64 * 1024 * 1024))
    await until(() => filling.readableLength === 0)

    await t.rejects(send(keyedCreate(Readable.from([Buffer.from('{}')]))), {
      code: 'GATEWAY_OVERLOADED',
      statusCode: 503,
      retryAfter: 1,
    })
    filling.push(null)
    await (await waiting).body.bytes(10)
  },
)
