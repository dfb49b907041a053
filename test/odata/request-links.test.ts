import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'

import fc from 'fast-check'
import t from 'tap'

import { requestLinks } from '../../src/odata/request-links.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { rewriteChunk } from '../../src/odata/text-transform.ts'
import { upstreamUrl, urlMap } from '../../src/odata/url-map.ts'
import { byteByByte, inChunks, cutPositions, shares, inOneChunk } from '../support/chunkings.ts'
import { replaceValues } from '../support/json-oracle.ts'
import { randomJson } from '../support/random-json.ts'

const root = 'https://org.crm4.dynamics.com/api/data/v9.2'
const map = urlMap(targetAddress(root), {
  base: 'http://gw:8080',
  otherBases: ['https://public.example/crm/', 'http://127.0.0.1:8080'],
  form: 'short',
})

t.test('the gateway in an @odata.id or @odata.bind is replaced by the target', async (t) => {
  for (const name of ['@odata.id', '@odata.bind', '@id', 'a@odata.bind', 'a@bind', 'primarycontactid@odata.bind']) {
    t.equal(
      inOneChunk(requestLinks(map), `{"${name}":"http://gw:8080/accounts(1)"}`),
      `{"${name}":"${root}/accounts(1)"}`,
      name,
    )
  }
})

t.test('the links of a row that is sent back unchanged are rewritten to the target', async (t) => {
  for (const name of [
    '@odata.context',
    '@context',
    '@odata.editLink',
    '@odata.readLink',
    'contacts@odata.navigationLink',
    'contacts@odata.associationLink',
    'contacts@odata.nextLink',
    '@odata.deltaLink',
    'image@odata.mediaReadLink',
    'image@mediaEditLink',
  ]) {
    const rewritten = `{"${name}":"${root}/accounts(1)"}`
    t.equal(inOneChunk(requestLinks(map), `{"${name}":"http://gw:8080/accounts(1)"}`), rewritten, name)
    t.equal(inOneChunk(requestLinks(map), `{"${name}":["http://gw:8080/a"]}`), `{"${name}":["http://gw:8080/a"]}`)
  }
})

t.test('each base and both address forms are understood', async (t) => {
  for (const [url, expected] of [
    ['http://GW:8080/accounts(1)', `${root}/accounts(1)`],
    ['http://gw:8080/api/data/v9.2/accounts(1)', `${root}/accounts(1)`],
    ['http://gw:8080/api/data/v9.0/accounts(1)', 'https://org.crm4.dynamics.com/api/data/v9.0/accounts(1)'],
    ['https://public.example/crm/accounts(1)', `${root}/accounts(1)`],
    ['https://Public.Example:443/crm/api/data/v9.2/accounts(1)', `${root}/accounts(1)`],
    ['http://127.0.0.1:8080/accounts(1)', `${root}/accounts(1)`],
    ['http:\\/\\/gw:8080\\/accounts(1)', `${root}\\/accounts(1)`],
  ] as const)
    t.equal(inOneChunk(requestLinks(map), `{"@odata.id":"${url}"}`), `{"@odata.id":"${expected}"}`, url)
})

t.test('the tenant of Business Central may be named or not', async (t) => {
  const origin = 'https://api.businesscentral.dynamics.com'
  const central = urlMap(targetAddress(`${origin}/v2.0/prod/api/v2.0`), { base: 'http://gw', form: 'short' })
  const path = '/v2.0/00000000-0000-0000-0000-000000000001/prod/api/v2.0/items(1)'

  t.equal(
    byteByByte(requestLinks(central), Buffer.from(`{"@odata.id":"http://gw${path}"}`)),
    `{"@odata.id":"${origin}${path}"}`,
  )
  t.equal(
    byteByByte(requestLinks(central), Buffer.from('{"@odata.id":"http://gw/items(1)"}')),
    `{"@odata.id":"${origin}/v2.0/prod/api/v2.0/items(1)"}`,
  )
})

t.test('every string of an array of links is rewritten, and nothing after it', async (t) => {
  const body =
    '{"m@odata.bind" : [ "http://gw:8080/a(1)" , "/b(2)","https://evil/c", "x\\\\\\"http://gw:8080/", ' +
    '"http://gw:8080/d"],"n":["http://gw:8080/e"]}'
  const expected =
    `{"m@odata.bind" : [ "${root}/a(1)" , "/b(2)","https://evil/c", "x\\\\\\"http://gw:8080/", ` +
    `"${root}/d"],"n":["http://gw:8080/e"]}`

  t.equal(inOneChunk(requestLinks(map), body), expected)
  t.equal(byteByByte(requestLinks(map), Buffer.from(body)), expected)
})

t.test('other URLs, relative URLs, references and data are unchanged', async (t) => {
  for (const body of [
    '{"@odata.id":"https://evil.example/accounts(1)"}',
    '{"@odata.id":"http://gw:8080.evil/accounts(1)"}',
    '{"@odata.id":"http://gw:8080@evil/"}',
    '{"@odata.id":"http://gw:80801/a"}',
    '{"@odata.id":"https://public.example/other/a"}',
    '{"@odata.id":"https://public.example/crmx"}',
    '{"@odata.id":"https:\\/\\/evil.example\\/a"}',
    '{"a@odata.bind":"/contacts(1)"}',
    '{"a@odata.bind":"$1"}',
    '{"@odata.id":"accounts(1)"}',
    '{"@odata.id":null}',
    '{"a@odata.bind":[{}]}',
    '{"websiteurl":"http://gw:8080/accounts(1)"}',
    '{"note":"{\\"@odata.id\\":\\"http://gw:8080/a\\"}"}',
    '["@odata.id","http://gw:8080/a"]',
    '{"emailaddress1":"a@id","b":"http://gw:8080/a"}',
    '{"@odata.type":"http://gw:8080/a","@odata.ident":"http://gw:8080/a","@odata.id" "http://gw:8080/a"}',
    '{"@odata.id":["http://gw:8080/a"]}',
    '{"x":9007199254740993 , "x":1.0}',
    '@',
    '{"@odata.bindbindbind":"http://gw:8080/a"}',
    '',
  ]) {
    t.equal(inOneChunk(requestLinks(map), body), body)
    t.equal(byteByByte(requestLinks(map), Buffer.from(body)), body)
  }
})

t.test('a body without links is forwarded as the same Buffer', async (t) => {
  const chunk = Buffer.from('{"name":"Fabrikam"}')
  const transform = requestLinks(map)

  t.equal(rewriteChunk(transform, chunk), chunk)
  t.equal(transform.end(), '')
})

t.test('an endless link is not buffered', async (t) => {
  const transform = requestLinks(map)

  t.equal(transform.push('{"@odata.id":"http://gw').length, 14)
  t.ok(transform.push('/'.repeat(65_536)).length >= 65_536)
  t.equal(inOneChunk(requestLinks(map), '{"@odata.id":"http://gw:8080'), `{"@odata.id":"${root}`)
  t.equal(inOneChunk(requestLinks(map), '{"@odata.id":"http://gw:8'), '{"@odata.id":"http://gw:8')
})

t.test('chunk borders at any byte do not change the result', async (t) => {
  const texts = [
    'http://gw:8080/a(1)',
    'HTTP://GW:8080',
    'http://gw:8080/api/data/v9.1/a',
    'https://public.example/crm?x',
    'https://public.example/',
    'x@odata.id',
    'http:\\/\\/gw:8080\\/a',
    'http://127.0.0.1:80/',
    '$1',
    'a@id',
    '\\\\',
    '\\"',
  ]
  const json = randomJson(
    [
      '@odata.id',
      '@id',
      'm@odata.bind',
      'm@bind',
      '@odata.editLink',
      'name',
      'odata.id',
      'x\\"@odata.bind',
      '@odata.ids',
    ],
    texts,
  )
  const inward = (value: string): string => {
    const plain = value.replaceAll('\\/', '/')
    const rewritten = upstreamUrl(map, plain)
    return rewritten === plain ? value : rewritten
  }

  t.doesNotThrow(() =>
    fc.assert(
      fc.property(json, shares, (text, cuts) => {
        const bytes = Buffer.from(text)
        const expected = replaceValues(text, (name, value, inArray) => (isLink(name, inArray) ? inward(value) : value))
        const once = inChunks(requestLinks(map), bytes, [])
        assert.equal(once.replaceAll('\\/', '/'), expected.replaceAll('\\/', '/'))
        assert.equal(inChunks(requestLinks(map), bytes, cutPositions(bytes.length, cuts)), once)
        assert.equal(byteByByte(requestLinks(map), bytes), once)
      }),
      { numRuns: 500 },
    ),
  )
})

function isLink(name: string, inArray: boolean): boolean {
  return (inArray ? /@(?:odata\.)?bind$/ : /@(?:odata\.)?(?:id|bind|editLink)$/).test(name)
}
