import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

import t from 'tap'
import type { Test } from 'tap'

import { header } from '../../../src/dynamics/send.ts'
import type { OutboundRequest, UpstreamResponse } from '../../../src/dynamics/send.ts'
import {
  answerJson,
  connectionFixture,
  fixedToken,
  outbound,
  received,
  service,
  text,
} from '../../support/connection-fixture.ts'
import type { ConnectionFixture } from '../../support/connection-fixture.ts'
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

/** How a service with one table answers. What is left out is answered as Dynamics would. */
interface Answers {
  readonly definition?: (response: ServerResponse) => void
  /** @param id the primary key in the body */
  readonly create?: (response: ServerResponse, id: string) => void
  readonly row?: (response: ServerResponse, columns: string) => void
}

/** A connection to a service with one table, and the requests that it got. */
async function oneTable(t: Test, answers: Answers): Promise<ConnectionFixture & { readonly requests: string[] }> {
  const requests: string[] = []
  const origin = await service(t, async (request, response) => {
    const url = request.url!
    const body = await received(request)
    requests.push(`${request.method} ${url.slice('/api/data/v9.2/'.length)}`)
    if (request.method === 'POST') {
      const { accountid: id } = JSON.parse(body) as { accountid: string }
      if (answers.create !== undefined) return answers.create(response, id)
      return response.writeHead(204, { 'odata-entityid': `${origin}/api/data/v9.2/accounts(${id})` }).end()
    }
    if (url.includes('ManyToOneRelationships')) return answerJson(response, 200, { value: LOOKUPS })
    if (!url.includes('EntityDefinitions')) {
      return answers.row!(response, new URL(url, origin).searchParams.get('$select') ?? '')
    }
    return answers.definition === undefined
      ? answerJson(response, 200, { value: [DEFINITION] })
      : answers.definition(response)
  })
  return { ...connectionFixture(t, origin), requests }
}

const LOOKUPS = [
  { ReferencingAttribute: 'primarycontactid', ReferencingEntityNavigationPropertyName: 'primarycontactid' },
]

/** A create of `row` with an idempotency key. */
function createOf(row: object, more: Partial<OutboundRequest> = {}): OutboundRequest {
  return { ...keyedCreate(Readable.from([Buffer.from(JSON.stringify(row))])), ...more }
}

/** Dynamics' refusal of a row that exists. */
function duplicate(response: ServerResponse): void {
  answerJson(response, 412, { error: { code: '0x80040237', message: 'A record with matching key values exists.' } })
}

t.test('a response that reports neither a row nor an error is passed on', async (t) => {
  for (const [status, headers] of [
    [202, { location: 'https://contoso.crm4.dynamics.com/api/data/v9.2/asyncoperations(1)' }],
    [201, { 'content-type': 'application/json' }],
  ] as const) {
    const { send } = await oneTable(t, { create: (response) => response.writeHead(status, headers).end('{}') })
    const answer = await send(createOf({ name: 'A' }))
    t.equal(answer.status, status)
    t.equal(await text(answer), '{}')
  }
})

t.test('a row that cannot be read after a duplicate key is the response, never a success', async (t) => {
  const refused = await oneTable(t, {
    create: duplicate,
    row: (response) => answerJson(response, 400, { error: { code: '0x80060888', message: 'no such column' } }),
  })
  const answer = await refused.send(createOf({ name: 'A' }))
  t.equal(answer.status, 400)
  t.match(await text(answer), /no such column/)

  const page = await oneTable(t, { create: duplicate, row: (response) => response.end('<html>') })
  await t.rejects(page.send(createOf({ name: 'A' })), { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID', statusCode: 502 })
  for (const { events } of [refused, page]) {
    t.same(
      events.filter(({ kind }) => kind === 'keyed-create'),
      [],
    )
  }
})

t.test('a row with other values counts as that of this create only if it is known to be new', async (t) => {
  const now = new Date().toISOString()
  for (const [name, createdOn, expected] of [
    ['new', (response) => answerJson(response, 200, { createdon: now }), 'recovered'],
    ['old', (response) => answerJson(response, 200, { createdon: '2020-01-01T00:00:00Z' }), 'reused'],
    ['unreadable', (response) => answerJson(response, 404, {}), 'reused'],
    ['of an unknown age', (response) => answerJson(response, 200, {}), 'reused'],
    [
      'from a server without a clock',
      (response) => {
        response.sendDate = false
        answerJson(response, 200, { createdon: now })
      },
      'reused',
    ],
  ] as const satisfies readonly (readonly [string, (response: ServerResponse) => void, string])[]) {
    let creates = 0
    const { send, events } = await oneTable(t, {
      create: (response) => (++creates === 1 ? response.destroy() : duplicate(response)),
      row: (response, columns) =>
        columns === 'createdon' ? createdOn(response) : answerJson(response, 200, { name: 'By a plug-in' }),
    })
    const outcome = await send(createOf({ name: 'As sent' })).then(
      ({ status }) => status,
      ({ code }: { code: string }) => code,
    )
    t.equal(outcome, expected === 'recovered' ? 204 : 'GATEWAY_IDEMPOTENCY_KEY_REUSED', name)
    t.equal(creates, 2, name)
    t.match(
      events.filter(({ kind }) => kind === 'keyed-create'),
      [{ outcome: expected }],
      name,
    )
  }
})

t.test('a repeated create whose row has gone gets the refusal of the read, which is no replay', async (t) => {
  const { send, requests } = await oneTable(t, {
    row: (response) => answerJson(response, 404, { error: { code: '0x80040217', message: 'Does Not Exist' } }),
  })
  const create = (): Promise<UpstreamResponse> =>
    send(createOf({ name: 'A' }, { idempotency: { key: 'a', entitySet: 'accounts', user: '', wantsRow: true } }))
  t.equal((await create()).status, 204)
  const again = await create()
  t.equal(again.status, 404)
  t.equal(header(again, 'idempotency-replayed'), undefined)
  t.equal(requests.filter((one) => one.startsWith('POST')).length, 1)
})

t.test('definitions are read once: suitable ones, unsuitable ones and lookups', async (t) => {
  const unsuitable = await oneTable(t, {
    definition: (response) => answerJson(response, 200, { value: [{ ...DEFINITION, TableType: 'Virtual' }] }),
  })
  for (let count = 0; count < 2; count++) {
    await t.rejects(unsuitable.send(createOf({})), { code: 'GATEWAY_BAD_IDEMPOTENCY_KEY', statusCode: 400 })
  }
  t.equal(unsuitable.requests.length, 1)

  for (const tokens of [undefined, fixedToken('of a person')]) {
    const { send, requests } = await oneTable(t, {
      create: duplicate,
      row: (response) => answerJson(response, 200, { _primarycontactid_value: OTHER_ID }),
    })
    for (let count = 0; count < 2; count++) {
      const row = { 'primarycontactid@odata.bind': `/contacts(${OTHER_ID})` }
      const key = { key: String(count), entitySet: 'accounts', user: '', wantsRow: false }
      t.equal((await send(createOf(row, { tokens, idempotency: key }))).status, 204)
    }
    t.equal(requests.filter((one) => one.includes('EntityDefinitions?')).length, 1)
    t.equal(requests.filter((one) => one.includes('ManyToOneRelationships?')).length, 1)
  }
})

t.test('a service protection limit on the definition is one on the create', async (t) => {
  const { send, requests } = await oneTable(t, {
    definition: (response) => answerJson(response, 429, {}, { 'retry-after': '3600' }),
  })
  await t.rejects(send(createOf({})), { code: 'GATEWAY_LIMIT_HOLDS', statusCode: 429, retryAfter: 3600 })
  t.equal(requests.length, 1)
})

t.test('a definition that is not JSON, or breaks off, fails the create', async (t) => {
  for (const definition of [
    (response: ServerResponse) => response.end('<html>'),
    (response: ServerResponse) =>
      response.writeHead(200, { 'content-length': '100' }).write('{', () => response.destroy()),
  ]) {
    const { send, requests } = await oneTable(t, { definition })
    await t.rejects(send(createOf({})), { code: 'GATEWAY_TABLE_LOOKUP_FAILED', statusCode: 502 })
    t.equal(requests.length, 1)
  }
})
