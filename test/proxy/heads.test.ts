import type { IncomingMessage } from 'node:http'

import t from 'tap'

import { bufferedBody } from '../../src/dynamics/buffered-response.ts'
import { BadBatch } from '../../src/errors.ts'
import { downstreamHeader } from '../../src/odata/header-links.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'
import { requestBodyRewriter } from '../../src/proxy/body-rewriting.ts'
import { linksFor } from '../../src/proxy/public-base.ts'
import { requestHeaders } from '../../src/proxy/request-headers.ts'
import { responseHead } from '../../src/proxy/response-headers.ts'

const ADDRESS_URL = 'https://contoso.crm4.dynamics.com/api/data/v9.2'
const ADDRESS = targetAddress(ADDRESS_URL)
const MAP = urlMap(ADDRESS, { base: 'http://gw:8080', form: 'short' })

t.test('proxies are trusted by IPv4 or IPv6 address or network', async (t) => {
  const links = linksFor({
    address: ADDRESS,
    prefix: '',
    publicUrl: undefined,
    trustedProxies: ['10.0.0.1', '2001:db8::/32'],
  })
  const baseFor = (remoteAddress: string, host: string | string[]): string => {
    const headers = { host: 'inside', 'x-forwarded-proto': 'https', 'x-forwarded-host': host }
    const request = { headers, socket: { remoteAddress } } as never as IncomingMessage
    return downstreamHeader(links(request, 'short'), 'location', `${ADDRESS_URL}/a`, () => undefined)!
  }
  t.equal(baseFor('10.0.0.1', 'outside.example'), 'https://outside.example/a')
  t.equal(baseFor('::ffff:10.0.0.1', ['first.example', 'outside.example']), 'https://outside.example/a')
  t.equal(baseFor('2001:db8::1', 'outside.example'), 'https://outside.example/a')
  t.equal(baseFor('10.0.0.2', 'outside.example'), 'http://inside/a')
  t.equal(baseFor('2001:db9::1', 'outside.example'), 'http://inside/a')
})

t.test('a header that is a link leads to Dynamics', async (t) => {
  t.same(requestHeaders([])(['Content-Location', 'http://gw:8080/accounts', 'Link', 'https://other.example/x'], MAP), [
    'Content-Location',
    `${ADDRESS_URL}/accounts`,
    'Link',
    'https://other.example/x',
    'accept-encoding',
    'identity',
  ])
})

t.test('repeated headers are joined', async (t) => {
  const sent = requestHeaders([])(['Accept-Encoding', 'br', 'Accept-Encoding', 'gzip'], MAP)
  t.match(sent.at(-1), /gzip/)
  t.match(sent.at(-1), /br/)
  const head = responseHead(
    {
      status: 200,
      headers: [
        'Content-Encoding',
        'br',
        'Content-Encoding',
        'gzip',
        'Connection',
        'x-own',
        'X-Own',
        '1',
        'X-Other',
        '2',
      ].map((text) => Buffer.from(text)),
      body: bufferedBody(Buffer.alloc(0)),
    },
    MAP,
    () => undefined,
  )
  t.equal(head.contentEncoding, 'br, gzip')
  t.match(head.headers, ['X-Other', '2'])
})

t.test('a compressed batch is refused, because its links could not be rewritten', async (t) => {
  const headers = { 'content-type': 'multipart/mixed; boundary=b', 'content-encoding': 'gzip' }
  t.throws(() => requestBodyRewriter(MAP, '/$batch', headers, {} as never), BadBatch)
})
