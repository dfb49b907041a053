import t from 'tap'

import { QueryTypeUnsupported } from '../../src/errors.ts'
import { queryIn, requireQueryType } from '../../src/queries/query-text.ts'

const UNSUPPORTED = new QueryTypeUnsupported()

t.test('a query body is plain text or a form, without content coding', async (t) => {
  for (const contentType of ['text/plain', 'Text/Plain; charset=utf-8', 'application/x-www-form-urlencoded']) {
    for (const contentEncoding of [undefined, 'identity']) {
      t.doesNotThrow(() => requireQueryType({ contentType, contentEncoding }), contentType)
    }
    t.throws(() => requireQueryType({ contentType, contentEncoding: 'gzip' }), UNSUPPORTED)
  }
  for (const contentType of [undefined, '', 'application/json', 'text/plain, text/plain', 'text/*']) {
    t.throws(() => requireQueryType({ contentType, contentEncoding: undefined }), UNSUPPORTED, String(contentType))
  }
})

t.test('its options are returned in the form of a URL', async (t) => {
  for (const [body, query] of [
    ['', ''],
    ['$top=1', '$top=1'],
    ['?$top=1&$select=name\r\n', '$top=1&$select=name'],
    ['fetchXml=%3Cfetch%3E&&x=', 'fetchXml=%3Cfetch%3E&&x='],
    ['%24filter=name%20eq%20%27%252F%27', '%24filter=name%20eq%20%27%252F%27'],
    ["@p='a'&$expand=x($select=y;$top=1)", "@p='a'&$expand=x($select=y;$top=1)"],
    ['$filter=a+b', '$filter=a+b'],
  ] as const) {
    t.equal(queryIn(body, 'text/plain'), query)
  }
  t.equal(
    queryIn('%24filter=name+eq+%27a%2Bb%27', 'application/x-www-form-urlencoded'),
    '%24filter=name%20eq%20%27a%2Bb%27',
  )
})

t.test('a body that is not a query is refused with a fix', async (t) => {
  for (const [body, message] of [
    ['{"top":1}', /such as \$select=name/],
    ['<fetch/>', /such as/],
    ['$top', /such as/],
    ['=1', /such as/],
    ['$filter=name eq 1', /character 13 must be percent-encoded/],
    ['$top=1\n$select=name', /character 7 must/],
    ['$filter=\u00e4', /character 9 must/],
    ['$top=1#x', /character 7 must/],
    ['$filter=100%', /write %25/],
    ['$filter=%zz', /write %25/],
  ] as const) {
    t.throws(() => queryIn(body, 'text/plain'), message, body)
  }
})

t.test('a body of line breaks is read as quickly as any other', async (t) => {
  const began = performance.now()
  t.throws(() => queryIn(`${'\n'.repeat(65_000)}x`, 'text/plain'), /character 1 must/)
  t.equal(queryIn(`$top=1${'\r\n'.repeat(32_000)}`, 'text/plain'), '$top=1')
  // A backtracking regular expression took 11 seconds.
  t.ok(performance.now() - began < 2000)
})
