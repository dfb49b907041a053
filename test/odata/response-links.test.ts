import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'

import fc from 'fast-check'
import t from 'tap'

import { responseLinks } from '../../src/odata/response-links.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { rewriteChunk } from '../../src/odata/text-transform.ts'
import { downstreamUrl, urlMap } from '../../src/odata/url-map.ts'
import { byteByByte, inChunks, cutPositions, onceComplete, shares, inOneChunk } from '../support/chunkings.ts'
import { replaceValues } from '../support/json-oracle.ts'
import { randomJson } from '../support/random-json.ts'

const org = 'https://org.crm4.dynamics.com'
const root = `${org}/api/data/v9.2`
const target = targetAddress(root)
const short = urlMap(target, { base: 'http://gw:8080', form: 'short' })
const long = urlMap(target, { base: 'https://gw.example/sales', form: 'long' })

const names = [
  'context',
  'nextLink',
  'deltaLink',
  'id',
  'editLink',
  'readLink',
  'navigationLink',
  'associationLink',
  'mediaReadLink',
  'mediaEditLink',
]
const links = names.flatMap((name) => [`@odata.${name}`, `@${name}`, `contacts@odata.${name}`, `contacts@${name}`])

t.test('every kind of link is rewritten to the gateway, in both spellings of its name', async (t) => {
  for (const name of links) {
    t.equal(
      inOneChunk(responseLinks(short), `{"${name}":"${root}/accounts(1)"}`),
      `{"${name}":"http://gw:8080/accounts(1)"}`,
      name,
    )
  }
})

t.test('a chunk is forwarded as it is if no link of it continues in the next one', async (t) => {
  const filler = `{"value":[{"name":"${'x'.repeat(10_000)}"}],`
  for (const [end, next, skipped] of [
    ['', `"@odata.nextLink":"${root}/accounts?a"}`, true],
    ['"@odata.nextLink":', `"${root}/accounts?a"}`, true],
    ['"@odata.nextLink":"', `${root}/accounts?a"}`, false],
    [`"@odata.nextLink":"${root.slice(0, 12)}`, `${root.slice(12)}/accounts?a"}`, false],
  ] as const) {
    const links = responseLinks(short)
    t.equal(links.skip!(Buffer.from(filler + end)), skipped, end)
    const text = (skipped ? filler + end : links.push(filler + end)) + links.push(next) + links.end()
    t.equal(text, (filler + end + next).replace(root, 'http://gw:8080'))
  }
})

t.test('links keep the address form that the caller used', async (t) => {
  const page = `{"@odata.context":"${root}/$metadata#accounts","value":[],"@odata.nextLink":"${root}/accounts?$skiptoken=%253c"}`

  t.equal(
    inOneChunk(responseLinks(short), page),
    '{"@odata.context":"http://gw:8080/$metadata#accounts","value":[],"@odata.nextLink":"http://gw:8080/accounts?$skiptoken=%253c"}',
  )
  t.equal(inOneChunk(responseLinks(long), page), page.replaceAll(org, 'https://gw.example/sales'))
})

t.test('data that looks like a link never changes', async (t) => {
  const data = [
    `{"websiteurl":"${root}/accounts"}`,
    `{"description":"see \\"@odata.nextLink\\":\\"${root}/accounts\\""}`,
    `{"note":"{\\"@odata.id\\":\\"${root}/accounts(1)\\"}"}`,
    `{"note":"{\\\\\\"@odata.id\\\\\\":\\\\\\"${root}/accounts(1)\\\\\\"}"}`,
    `{"a":"@odata.id","b":"${root}/accounts(1)"}`,
    `["@odata.id","${root}/accounts(1)"]`,
    `{"@odata.id":"see ${root}/accounts(1)"}`,
    `{"@odata.id":["${root}/accounts(1)"]}`,
    `1:"${root}/a"`,
    `id":"${root}/a"`,
    `{"@odata.id":${' '.repeat(300)}"${root}/a"}`,
    `{"a_very_long_name_of_a_column":"${root}/accounts(1)"}`,
    `{"@odata.idx":"${root}/a","x@odata.i":"${root}/a","@odata.Id":"${root}/a","odata.id":"${root}/a","id":"${root}/a"}`,
    `{"@my.odata.id":"${root}/a","@odata.odata.id":"${root}/a","@odata.type":"${root}/a","@odata.etag":"${root}/a"}`,
    `{"location":"${root}/operations(1)","x\\"location":"${root}/operations(1)"}`,
    `{"error":{"code":"","message":"No HTTP resource was found that matches the request URI '${root}/x'."}}`,
    `"${root}/accounts"`,
    '{"n":9007199254740993,"n":1.00000,"d" :\t1 }',
  ]
  for (const body of data) {
    t.equal(inOneChunk(responseLinks(short), body), body)
    t.equal(byteByByte(responseLinks(short), Buffer.from(body)), body)
  }
})

t.test('links to other hosts never change', async (t) => {
  for (const url of [
    'https://org.crm4.dynamics.com.evil/api/data/v9.2/a',
    'https://org.crm4.dynamics.com@evil/',
    'https://org.crm4.dynamics.com:444/api/data/v9.2/a',
    'http://org.crm4.dynamics.com/api/data/v9.2/a',
    'https://other.crm4.dynamics.com/api/data/v9.2/a',
    '/accounts(1)',
    '$metadata#accounts',
    'ftp://x',
    '//x',
    '',
  ]) {
    t.equal(inOneChunk(responseLinks(short), `{"@odata.id":"${url}"}`), `{"@odata.id":"${url}"}`)
  }
})

t.test('the target of an advertised action or function is rewritten to the gateway', async (t) => {
  const post = `${root}/salesInvoices(1)/Microsoft.NAV.post`
  const plain = (text: string): string => text.replaceAll('\\/', '/')
  const row = (url: string): string =>
    `{"@odata.id":"a","#Microsoft.NAV.post":{"title":"a \\"b\\\\","target":"${url}"},"number":"x"}`
  for (const body of [
    row,
    (url: string) => `{"value":[${row(url)},${row(url)}],"#Microsoft.Dynamics.CRM.WinOpportunity":{"target":"${url}"}}`,
    (url: string) => `{"lines":[{"x":1},${row(url)}],"customer":{"y":{},"#a.b":{ "target" : "${url}" , "title":"z"}}}`,
    (url: string) =>
      '{"#A.f(x,y)":[{"title":"f","target":"' +
      url +
      `"} ,\n{"target":"${url}","n":1.5,"b":true},{"target":"${url}"}]}`,
    (url: string) => `{"lines#A.f":{"title":"f","@a.b":null,"target":"${url.replaceAll('/', '\\/')}"}}`,
  ]) {
    const bytes = Buffer.from(body(post))
    const expected = plain(body(post.replace(root, 'http://gw:8080')))
    t.equal(plain(inOneChunk(responseLinks(short), body(post))), expected)
    t.equal(plain(byteByByte(responseLinks(short), bytes)), expected)
    t.same(
      Array.from(bytes, (_, cut) => plain(inChunks(responseLinks(short), bytes, [cut]))).filter(
        (text) => text !== expected,
      ),
      [],
    )
  }
})

t.test('a column that is called target never changes', async (t) => {
  const url = `${root}/a`
  for (const body of [
    `{"target":"${url}"}`,
    `{"a":{"target":"${url}"}}`,
    `{"a":"#b.c","target":"${url}"}`,
    `{"#b.c":"x","target":"${url}"}`,
    `{"#b.c":{"x":{"target":"${url}"}}}`,
    `{"#b.c":{"x":[{"target":"${url}"}]}}`,
    `{"#b.c":{"x":{}},"y":{"target":"${url}"}}`,
    `{"#b.c":[1,{"target":"${url}"}]}`,
    `{"#b.c":[{"x":{}},{"target":"${url}"}]}`,
    `{"#b c":{"target":"${url}"}}`,
    `{"note":"{\\"#b.c\\":{\\"target\\":\\"${url}\\"}}"}`,
    `{"#b.c":{"targets":"${url}","xtarget":"${url}"}}`,
    `"target":"${url}"`,
    `:{"target":"${url}"`,
    `x":{"target":"${url}"`,
    `{"t":"x",}:{"target":"${url}"`,
    `{"#b.c":{${'"a":1,'.repeat(20)}"target":"${url}"}}`,
    `{"#b.c":{"title":"${'x'.repeat(2000)}","target":"${url}"}}`,
  ]) {
    t.equal(inOneChunk(responseLinks(short), body), body)
    t.equal(byteByByte(responseLinks(short), Buffer.from(body)), body)
  }
})

t.test('the location of a background operation is rewritten only in such a response', async (t) => {
  const body = `{"backgroundOperationId":"1","location" : "${root}/backgroundoperations(1)","x\\"location":"${root}/a"}`
  const expected = `{"backgroundOperationId":"1","location" : "http://gw:8080/backgroundoperations(1)","x\\"location":"${root}/a"}`

  t.equal(inOneChunk(responseLinks(short, { backgroundOperation: true }), body), expected)
  t.equal(byteByByte(responseLinks(short, { backgroundOperation: true }), Buffer.from(body)), expected)
})

t.test('a byte order mark, spacing, escaped slashes and duplicate names survive', async (t) => {
  const body =
    `\uFEFF{ "@odata.id"\r\n:\t"${root.replaceAll('/', '\\/')}\\/a(1)" , "@odata.id": ` +
    `"${root}/b", "@odata.editLink":"${org}\\/x" }`
  const expected =
    '\uFEFF{ "@odata.id"\r\n:\t"http://gw:8080\\/a(1)" , "@odata.id": ' +
    '"http://gw:8080/b", "@odata.editLink":"http://gw:8080\\/x" }'

  t.equal(inOneChunk(responseLinks(short), body), expected)
  t.equal(byteByByte(responseLinks(short), Buffer.from(body)), expected)
})

t.test('a chunk without links is forwarded as the same Buffer', async (t) => {
  const chunk = Buffer.from(`{"name":"Fabrikam","websiteurl":"${root}/accounts"}`)
  const transform = responseLinks(short)

  t.equal(rewriteChunk(transform, chunk), chunk)
  t.equal(transform.end(), '')
})

t.test('an endless string is not buffered', async (t) => {
  const transform = responseLinks(short)
  const chunk = `${root}/`.repeat(2000)

  t.equal(transform.push('{"@odata.id":"').length, 13)
  t.ok(transform.push(chunk).length > chunk.length - 500)
  for (let count = 0; count < 64; count++) t.equal(transform.push(chunk).length, chunk.length)
})

t.test('a link at the end of the body is rewritten as well', async (t) => {
  t.equal(inOneChunk(responseLinks(short), `{"@odata.id":"${root}`), '{"@odata.id":"http://gw:8080')
  t.equal(inOneChunk(responseLinks(short), '{"@odata.id":"https://org.crm4.'), '{"@odata.id":"https://org.crm4.')
})

t.test('large pages keep every byte but those of links', async (t) => {
  const row = `{"@odata.etag":"W/\\"1\\"","description":"${'x'.repeat(40_000)}","contacts@odata.nextLink":"${root}/contacts"}`
  const page = `{"@odata.context":"${root}/$metadata","value":[${`${row},`.repeat(20)}${row}]}`
  const expected = page.replaceAll(root, 'http://gw:8080')

  t.ok(inOneChunk(responseLinks(short), page) === expected)
  t.ok(
    inChunks(
      responseLinks(short),
      Buffer.from(page),
      Array.from({ length: 13 }, (_, index) => index * 65_536),
    ) === expected,
  )
})

t.test('chunk borders at any byte do not change the result', async (t) => {
  const texts = [
    `${root}/accounts(1)`,
    root,
    org,
    `${org}:443/api/data/v9.1/x`,
    'HTTPS://ORG.API.crm4.dynamics.com/api/data/v9.2?x',
    `${org}x`,
    root.replaceAll('/', '\\/'),
    'https://',
    'x',
  ]
  const json = randomJson([...links, 'location', 'name', 'x\\"@odata.id', 'é@odata.nextLink'], texts)
  const isLink =
    /(?:^|[^.\\])@(?:odata\.)?(?:context|nextLink|deltaLink|id|editLink|readLink|navigationLink|associationLink|mediaReadLink|mediaEditLink)$/
  const outward = (value: string): string => {
    const plain = value.replaceAll('\\/', '/')
    const rewritten = downstreamUrl(short, plain)
    return rewritten === plain ? value : rewritten
  }

  t.doesNotThrow(() =>
    fc.assert(
      fc.property(json, shares, (text, cuts) => {
        const bytes = Buffer.from(text)
        // A rewritten link is compared with its slashes unescaped, because only its start is replaced.
        const expected = replaceValues(text, (name, value, inArray) =>
          isLink.test(name) && !inArray ? outward(value) : value,
        )
        const once = inChunks(responseLinks(short), bytes, [])
        assert.equal(once.replaceAll('\\/', '/'), expected.replaceAll('\\/', '/'))
        assert.equal(inChunks(responseLinks(short), bytes, cutPositions(bytes.length, cuts)), once)
        assert.equal(onceComplete(responseLinks(short), bytes, cutPositions(bytes.length, cuts)), once)
        assert.equal(byteByByte(responseLinks(short), bytes), once)
      }),
      { numRuns: 500 },
    ),
  )
})

t.test('a page cut in two at each of its bytes is the same page', async (t) => {
  const page = Buffer.from(
    `{"@odata.context":"${root}/$metadata#accounts","value":[{"a@odata.nextLink" : ` +
      `"${org}:443/api/data/v9.2/x","w":"${root}"}]}`,
  )
  const expected = inOneChunk(responseLinks(short), page.toString())

  for (const rewritten of [inChunks, onceComplete]) {
    const all = Array.from(page, (_, cut) => rewritten(responseLinks(short), page, [cut]))
    t.same(
      all.filter((text) => text !== expected),
      [],
    )
  }
})
