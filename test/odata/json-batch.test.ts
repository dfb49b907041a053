import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'

import fc from 'fast-check'
import t from 'tap'

import { requestBatch, responseBatch, type BatchOperation } from '../../src/odata/batch.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'
import { staysHere } from '../../src/proxy/request-headers.ts'
import { byteByByte, inChunks, cutPositions, shares, inOneChunk } from '../support/chunkings.ts'

const root = 'https://api.businesscentral.dynamics.com/v2.0/tenant/prod/api/v2.0'
const map = urlMap(targetAddress(root), { base: 'http://gw:8080', form: 'short' })

function turned(text: string | Buffer): { text: string; operations: BatchOperation[] } {
  const operations: BatchOperation[] = []
  const transform = requestBatch(map, 'application/json', {
    onPart: (operation) => operations.push(operation),
    userHeaders: ['x-user-email', 'x-user-id'],
    staysHere,
  })
  return { text: inChunks(transform, Buffer.from(text), [3, 9]), operations }
}

function single(members: string): string {
  return `{"requests":[{"method":"GET","id":"1",${members}}]}`
}

t.test('URLs and links of a batch are rewritten to the target, and no other byte changes', async (t) => {
  const batch = `\uFEFF{ "requests" : [
  {"method":"POST", "id":"1", "url":"http://gw:8080/companies(1)/items", "headers":{"Company":"Ü", "If-Match":"*"},
   "body":{"n":9007199254740993,"n":1.0,"url":"http://gw:8080/x","item@odata.bind":"http://gw:8080/items(1)","note":"\\"@odata.id\\":\\"http://gw:8080/a\\""}},
  {"id":2,"METHOD":"patch","url":"$1","body":"\\\\\\"","headers":{}},
  { "url" : "/items?$filter=n eq \\u0027Ü\\u00dc\\u0027" , "method" : "get" , "dependsOn" : ["1"], "id":"3" } ] , "x":null}`
  const { text, operations } = turned(batch)

  t.equal(
    text,
    batch
      .replace('"url":"http://gw:8080/companies', `"url":"${root}/companies`)
      .replace('"item@odata.bind":"http://gw:8080', `"item@odata.bind":"${root}`)
      .replace(
        '"/items?$filter=n eq \\u0027Ü\\u00dc\\u0027"',
        '"/v2.0/tenant/prod/api/v2.0/items?$filter=n eq \'\\u00dc\\u00dc\'"',
      ),
  )
  t.same(
    operations.map(({ part, method, resourcePath, query }) => [part, method, resourcePath, query]),
    [
      [1, 'POST', '/companies(1)/items', ''],
      [2, 'PATCH', '/companies(1)/items($1)', ''],
      [3, 'GET', '/items', "$filter=n eq 'ÜÜ'"],
    ],
  )
  t.same(operations[0]?.headers, [
    { name: 'Company', value: 'Ü' },
    { name: 'If-Match', value: '*' },
  ])
})

t.test('credentials and the gateway’s own headers are removed, hosts replaced, other headers unchanged', async (t) => {
  const { text } = turned(
    single(
      '"url":"items","headers":{"Authorization":"x", "If-Match" : ' +
        '"\\u002a","Host":"gw:8080","X-MS-TOKEN-AAD-ACCESS-TOKEN":"x","connection":"x-a","X-A":"x"}',
    ),
  )

  t.equal(text, single('"url":"items","headers":{"If-Match" : "\\u002a","Host":"api.businesscentral.dynamics.com"}'))
})

t.test('parts that must not be forwarded are refused', async (t) => {
  for (const members of [
    '"url":"https://evil.example/x"',
    '"url":"../x"',
    '"url":"$batch"',
    '"url":"a#b"',
    '"url":"a","headers":{"MSCRMCallerID":"x"}',
    '"url":"a","headers":{"caller\\u004fbjectId":"x"}',
    '"url":"a","URL":"b"',
    '"url":"a","\\u0075rl":"b"',
    '"url":"a","headers":{},"Headers":{}',
    '"url":"a","headers":{"X-HTTP-Method":"x"}',
    '"url":"https://api.businesscentral.dynamics.com/v2.0/tenant/test/api/v2.0/x"',
  ]) {
    t.throws(() => turned(single(members)), { name: 'RefusedPart' }, members)
  }
  t.throws(() => turned(`{"requests":[${'{"method":"GET","url":"a"},'.repeat(1000)}{"method":"GET","url":"a"}]}`), {
    name: 'RefusedPart',
    message: /1,000/,
  })
  t.throws(() => turned('{"requests":[],"Requests":[]}'), { name: 'RefusedPart' })
  t.throws(() => turned('{"requests":[{"id":"1","method":"GET","url":"a"},{"id":"1","method":"GET","url":"a"}]}'), {
    name: 'RefusedPart',
  })
})

t.test('a body that is not a batch is refused', async (t) => {
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '{}',
    '{"requests":{}}',
    '{"requests":[1]}',
    '{"requests":[{}]}',
    single('"url":1'),
    single('"url":""'),
    single('"url":"a","headers":{"a b":"x"}'),
    single('"url":"a","headers":{"a":"x\\r\\ny"}'),
    single('"url":"a","headers":{"a":1}'),
    '{"requests":[{"method":"G T","url":"a"}]}',
    `${'['.repeat(100_000)}`,
  ]) {
    t.throws(() => turned(text), { name: 'MalformedBatch' }, text.slice(0, 60))
  }
  t.throws(() => requestBatch(map, 'text/plain', { onPart() {} }), { name: 'MalformedBatch' })
  t.equal(turned('{"requests":[ ]}').text, '{"requests":[ ]}')
})

t.test('a JSON batch must be UTF-8', async (t) => {
  const batch = (contentType: string): unknown => requestBatch(map, contentType, { onPart() {} })
  for (const type of [
    'application/json',
    'Application/JSON ;charset=UTF-8',
    'application/json; charset="utf8"; a=b',
    'application/json;IEEE754Compatible=true',
  ])
    t.doesNotThrow(() => batch(type), type)
  for (const type of [
    'application/json;charset=utf-7',
    'application/json; charset=ibm037',
    'application/json;charset=utf-8;charset=utf-7',
    'application/json;charset',
    'application/json;charset=utf-8x',
    `application/json;a=${'b'.repeat(1000)}`,
    'multipart/mixed, application/json',
    'text/plain;application/json',
    'application/x/json',
    '/json',
  ])
    t.throws(() => batch(type), { name: 'MalformedBatch' }, type)
})

t.test('a batch beyond 16 MiB is refused before it is buffered', async (t) => {
  const transform = requestBatch(map, 'application/json', { onPart() {} })
  const chunk = ' '.repeat(1024 * 1024)
  for (let sent = 0; sent < 16; sent++) t.equal(transform.push(chunk), '')

  t.throws(() => transform.push(chunk), { name: 'OversizedBatch', limit: 16 * 1024 * 1024 })
})

t.test('a long body in a batch is forwarded', async (t) => {
  const batch = single(`"url":"/items","body":{"a":"${'\\\\\\"x'.repeat(500_000)}","b":"${'y'.repeat(2_000_000)}"}`)

  t.ok(turned(batch).text === batch.replace('"/items"', '"/v2.0/tenant/prod/api/v2.0/items"'))
})

const answer = `{"responses":[{"id":"1","status":201,"headers":{"Location":"${root}/items(1)","x":"${root}","odata-entityid" : "${root}/items(1)"},
"body":{"@odata.context":"${root}/$metadata#items","location":"${root}/a","headers":{"location":"${root}/b"},"n":9007199254740993}},
{"headers":{"location":{"location":"${root}/c"},"a":["location","${root}/d"]},"note":"\\"headers\\":{\\"location\\":\\"${root}/e\\"}"},
{"x":{"location":"${root}/f"}}],"headers":{"location":"${root}/g"},"other":[{"headers":{"location":"${root}/h"}}]}`
const rewrittenResponse = answer
  .replace(`"Location":"${root}`, '"Location":"http://gw:8080')
  .replace(`"odata-entityid" : "${root}`, '"odata-entityid" : "http://gw:8080')
  .replace(`"@odata.context":"${root}`, '"@odata.context":"http://gw:8080')

t.test('headers and links of a response are rewritten to the gateway, columns of the same names are not', async (t) => {
  t.equal(inOneChunk(responseBatch(map, 'application/json')!, answer), rewrittenResponse)
  t.equal(responseBatch(map, 'text/html'), undefined)
  t.equal(responseBatch(map, undefined), undefined)
})

t.test('a link to another host in the headers of a response is removed', async (t) => {
  const headers = (...members: string[]): string =>
    `{"responses":[{"headers":{${members.join(',')}},"body":{"location":"https://evil.example/data"}}]}`
  const evil = headers(
    '"Location":"https://evil.example/a\\"b\\\\"',
    '"x":"https://evil.example"',
    '"odata-entityid":"\\/\\/evil.example"',
    '"l\\u006Fcation":"\\u0068ttps://evil.example/c"',
    `"content-location":"https://${'a'.repeat(5000)}"`,
    '"location":"/a"',
    '"location":"https://store1.blob.core.windows.net/a?sig=b"',
    '"location":"https://evil.example\\',
  ).replace('https://evil.example\\}', 'https://evil.example"}')
  const kept = headers(
    '"Location":""',
    '"x":"https://evil.example"',
    '"odata-entityid":""',
    '"l\\u006Fcation":""',
    '"content-location":""',
    '"location":"/a"',
    '"location":"https://store1.blob.core.windows.net/a?sig=b"',
    '"location":""',
  )
  const hosts: string[] = []

  t.equal(
    inOneChunk(
      responseBatch(map, 'application/json', (host) => hosts.push(host))!,
      evil,
    ),
    kept,
  )
  t.same(hosts, ['?', 'evil.example', 'evil.example', '?', 'evil.example'])
  const cut = (at: number): string => inChunks(responseBatch(map, 'application/json')!, Buffer.from(evil), [at])
  t.same(
    Array.from(evil, (_, at) => cut(at)).filter((out) => out !== kept),
    [],
  )
})

t.test('a header at the end of the response is rewritten as well', async (t) => {
  t.equal(
    inOneChunk(responseBatch(map, 'application/json')!, `{"responses":[{"headers":{"location":"${root}`),
    '{"responses":[{"headers":{"location":"http://gw:8080',
  )
})

t.test('chunk borders at any byte do not change the result', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(shares, (cuts) => {
        const bytes = Buffer.from(answer)
        assert.equal(
          inChunks(responseBatch(map, 'application/json')!, bytes, cutPositions(bytes.length, cuts)),
          rewrittenResponse,
        )
      }),
      { numRuns: 100 },
    ),
  )
  t.equal(byteByByte(responseBatch(map, 'application/json')!, Buffer.from(answer)), rewrittenResponse)
  t.same(
    Array.from(answer, (_, cut) =>
      inChunks(responseBatch(map, 'application/json')!, Buffer.from(answer), [cut]),
    ).filter((out) => out !== rewrittenResponse),
    [],
  )
})

t.test('reports the status of each part of a response, with any chunk borders', async (t) => {
  const answer = JSON.stringify({
    responses: [
      { id: '1', status: 200, headers: {}, body: { status: 412, value: [{ status: 500 }] } },
      { id: '2', status: 404 },
    ],
    status: 999,
    body: { inner: { status: 999 } },
  }).replace('"status":404', '"st\\u0061tus" : 404 ')
  const bytes = Buffer.from(answer)
  for (const cut of bytes.keys()) {
    const statuses: number[] = []
    const transform = responseBatch(map, 'application/json', undefined, (status) => statuses.push(status))!
    inChunks(transform, bytes, [cut])
    t.same(statuses, [200, 404], `cut at ${cut}`)
  }
})
