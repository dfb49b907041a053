import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'

import fc from 'fast-check'
import t from 'tap'

import { responseBatch } from '../../src/odata/batch.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'
import { byteByByte, inChunks, cutPositions, shares, inOneChunk } from '../support/chunkings.ts'

const root = 'https://org.crm4.dynamics.com/api/data/v9.2'
const map = urlMap(targetAddress(root), { base: 'http://gw:8080', form: 'short' })
const type = 'multipart/mixed; boundary=batchresponse_9f0c'

function lines(...all: string[]): string {
  return all.join('\r\n')
}

const answer = lines(
  '--batchresponse_9f0c',
  'Content-Type: multipart/mixed; boundary=changesetresponse_ab12',
  '',
  '--changesetresponse_ab12',
  'Content-Type: application/http',
  'Content-Transfer-Encoding: binary',
  'Content-ID: 1',
  '',
  'HTTP/1.1 204 No Content',
  'OData-Version: 4.0',
  `Location: ${root}/accounts(1)`,
  `OData-EntityId: ${root}/accounts(1)`,
  '',
  '',
  '--changesetresponse_ab12--',
  '--batchresponse_9f0c',
  'Content-Type: application/http',
  'Content-Transfer-Encoding: binary',
  '',
  'HTTP/1.1 200 OK',
  'Content-Type: application/json; odata.metadata=minimal',
  'OData-Version: 4.0',
  'ETag: W/"1"',
  '',
  `{"@odata.context":"${root}/$metadata#accounts","value":[{"n":9007199254740993,"websiteurl":"${root}/a"}],"@odata.nextLink":"${root}/accounts?$skiptoken=%253c"}`,
  '--batchresponse_9f0c',
  'Content-Type: application/http',
  'Content-Transfer-Encoding: binary',
  '',
  'HTTP/1.1 404 Not Found',
  'REQ_ID: 1',
  'Content-Type: application/json',
  '',
  `{"error":{"code":"0x80040217","message":"no ${root}/accounts(2)"}}`,
  '--batchresponse_9f0c--',
  '',
)
const rewritten = answer
  .replace(`Location: ${root}`, 'Location: http://gw:8080')
  .replace(`OData-EntityId: ${root}`, 'OData-EntityId: http://gw:8080')
  .replace(`"@odata.context":"${root}`, '"@odata.context":"http://gw:8080')
  .replace(`"@odata.nextLink":"${root}`, '"@odata.nextLink":"http://gw:8080')

t.test('headers and links of every part are rewritten to the gateway, and no other byte changes', async (t) => {
  t.equal(inOneChunk(responseBatch(map, type)!, answer), rewritten)
})

t.test('a link to another host in the headers of a part is removed', async (t) => {
  const hosts: string[] = []
  const evil = answer.replace(`OData-EntityId: ${root}/accounts(1)`, 'Content-Location: //evil.example/x')

  t.equal(
    inOneChunk(
      responseBatch(map, type, (host) => hosts.push(host))!,
      evil,
    ),
    rewritten.replace('OData-EntityId: http://gw:8080/accounts(1)\r\n', ''),
  )
  t.same(hosts, ['evil.example'])
})

t.test('line feeds, preamble and blank first lines are normalised', async (t) => {
  t.equal(inOneChunk(responseBatch(map, type)!, `\r\n\r\n${answer.replaceAll('\r\n', '\n')}\n`), rewritten)
})

t.test('lengths that would be wrong are removed, others are unchanged', async (t) => {
  const part = (head: string, body: string): string =>
    lines('--b', 'Content-Type: application/http', '', 'HTTP/1.1 200 OK', head, '', `${body}\r\n--b--`, '')
  const json = `{"@odata.id":"${root}/a"}`

  t.equal(
    inOneChunk(
      responseBatch(map, 'multipart/mixed;boundary=b')!,
      part(`content-length: ${json.length}\r\nContent-Type: application/json`, json),
    ),
    part('Content-Type: application/json', '{"@odata.id":"http://gw:8080/a"}'),
  )
  const text = part('Content-Length: 3\r\nContent-Type: text/plain', 'a\r\n--b-\n--bc\r--b\r\n')
  t.equal(inOneChunk(responseBatch(map, 'multipart/mixed;boundary=b')!, text), text)
  const coded = part('Content-Length: 3\r\nContent-Encoding: gzip\r\nContent-Type: application/json', json)
  t.equal(inOneChunk(responseBatch(map, 'multipart/mixed;boundary=b')!, coded), coded)
})

t.test('parts of another kind are unchanged', async (t) => {
  const other = lines(
    '--b',
    'Content-Type: text/plain',
    'Content-Length: 9',
    '',
    `Location: ${root}`,
    '--b',
    '',
    '',
    '--b--',
    '',
  )

  t.equal(inOneChunk(responseBatch(map, 'multipart/mixed;boundary=b')!, other), other)
})

t.test('a truncated response never ends as if it were complete', async (t) => {
  for (const length of [0, 30, 120, 700, answer.length - 6]) {
    t.throws(
      () => inOneChunk(responseBatch(map, type)!, answer.slice(0, length)),
      { name: 'MalformedBatch' },
      `${length} bytes`,
    )
  }
  t.throws(() => responseBatch(map, 'multipart/mixed'), { name: 'MalformedBatch' })
})

t.test('chunk borders at any byte do not change the result', async (t) => {
  const texts = fc.constantFrom(
    answer,
    answer.replaceAll('\r\n', '\n'),
    `\r\n${answer}`,
    answer.replace('{"error"', '\r\n--batchresponse_9f0cx\r\n'),
  )
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(texts, shares, (text, cuts) => {
        const bytes = Buffer.from(text)
        const once = inChunks(responseBatch(map, type)!, bytes, [])
        assert.equal(inChunks(responseBatch(map, type)!, bytes, cutPositions(bytes.length, cuts)), once)
        assert.equal(byteByByte(responseBatch(map, type)!, bytes), once)
      }),
      { numRuns: 100 },
    ),
  )
  t.same(
    Array.from(answer, (_, cut) => inChunks(responseBatch(map, type)!, Buffer.from(answer), [cut])).filter(
      (out) => out !== rewritten,
    ),
    [],
  )
})
