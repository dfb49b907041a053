import t from 'tap'

import { pageRows, RowOverLimit } from '../../src/odata/page-rows.ts'
import type { PageRows } from '../../src/odata/page-rows.ts'

/** The result of a pushed chunk. */
function pushed(rows: PageRows, piece: string): string {
  return Buffer.concat(rows.push(Buffer.from(piece, 'latin1'))).toString('latin1')
}

/** The result for `page` in chunks of `size` characters. */
function read(
  page: string,
  size: number,
  limit = Infinity,
): { readonly lines: string; readonly next: string | undefined } {
  const rows = pageRows(limit)
  let lines = ''
  for (let at = 0; at < page.length; at += size) lines += pushed(rows, page.slice(at, at + size))
  rows.end()
  return { lines, next: rows.member('@odata.nextLink') }
}

t.test('rows are extracted byte for byte, with any chunk borders', async (t) => {
  const rows = [
    '{"@odata.etag":"W/\\"1\\"","n":9007199254740993.10,"a":[1,{"b":"]}"}],"s":"\\u00e4 \\n"}',
    '{}',
    '[1,[2]]',
    '"text, with ]"',
    '12.50',
    'null',
    '{"x@odata.nextLink":"inner","value":[{"value":[]}]}',
  ]
  const page =
    `\u00ef\u00bb\u00bf {"@odata.context":"c","@odata.count":7,"other":{"value":[1,2]},"list":[[{}]], "value" : [ ${rows.join(' ,\n')} ],` +
    '"@odata.nextLink":"https:\\/\\/x/a?b","more":[]} \n'
  for (const size of [1, 2, 3, 7, 64, 10_000]) {
    t.same(read(page, size), { lines: `${rows.join('\n')}\n`, next: '"https:\\/\\/x/a?b"' }, `${size}`)
  }
  t.equal(read(page, 5, 2).lines, `${rows[0]}\n{}\n`, 'exactly at the limit')
})

t.test('the chunks are not modified, because others may share them', async (t) => {
  const page = '{"value":[{"a":1},{"a":2},{"a":3}]}'
  const chunk = Buffer.from(page)

  pageRows(9).push(chunk)

  t.equal(chunk.toString(), page)
})

t.test('a row is given out with the chunk that ends with it', async (t) => {
  const rows = pageRows(9)
  t.equal(pushed(rows, '{"value":[{"a":1},{"a":2}'), '{"a":1}\n{"a":2}\n')
  t.equal(pushed(rows, ',{"a":3}'), '{"a":3}\n')
  t.equal(pushed(rows, ']}'), '')
  rows.end()
})

t.test('the next link may come before the rows', async (t) => {
  const rows = pageRows(9)
  t.notOk(rows.isPage())
  t.equal(pushed(rows, '{"@Microsoft.Dynamics.CRM.morerecords":true,"@nextLink":"a?b","value":['), '')
  t.ok(rows.isPage())
  t.equal(pushed(rows, '1,2'), '1\n')
  t.equal(pushed(rows, ']}'), '2\n')
  rows.end()
  t.equal(rows.rows(), 2)
  t.equal(rows.member('@nextLink'), '"a?b"')
  t.equal(rows.member('@Microsoft.Dynamics.CRM.morerecords'), 'true')
  t.equal(read('{"value":[]}', 1).lines, '')
})

t.test('line breaks between members do not end a line', async (t) => {
  t.equal(read('{"value":[{\r\n  "a": 1,\n  "b": "\\n"\n}]}', 3).lines, '{  "a": 1,  "b": "\\n"}\n')
})

t.test('a body that is not a complete page is an error', async (t) => {
  for (const page of [
    '',
    '[]',
    '1',
    '{}',
    '{"value":"x"}',
    '{"value":{}}',
    '{"value":[],"value":[]}',
    '{"accountid":"1","name":"x"}',
    '{"value":[1,2}',
    '{"value":[1,2]',
    '{"value":[tru]}',
    '{"value":[1]}{}',
  ]) {
    t.throws(() => read(page, 4), { name: 'MalformedBatch' }, page)
  }
})

t.test('a row that is too long is refused; other members may be as long as they like', async (t) => {
  const piece = 'x'.repeat(1_000_000)
  const long = pageRows(1)
  pushed(long, '{"long":"')
  for (let count = 0; count < 20; count++) pushed(long, piece)
  t.equal(pushed(long, '","value":[1'), '')
  t.equal(pushed(long, ']}'), '1\n')

  const rows = pageRows(1)
  pushed(rows, '{"value":["')
  t.throws(() => {
    for (let count = 0; count < 20; count++) pushed(rows, piece)
  }, RowOverLimit)
})
