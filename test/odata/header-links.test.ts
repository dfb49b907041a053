import t from 'tap'

import { downstreamHeader } from '../../src/odata/header-links.ts'
import { isLinkHeader } from '../../src/odata/link-names.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'

const root = 'https://org.crm4.dynamics.com/api/data/v9.2'
const map = urlMap(targetAddress(root), { base: 'http://gw:8080', form: 'short' })

function judged(
  name: string,
  value: string,
): { readonly value: string | undefined; readonly hosts: readonly string[] } {
  const hosts: string[] = []
  return { value: downstreamHeader(map, name, value, (host) => hosts.push(host)), hosts }
}

t.test(
  'links to the target are rewritten to the gateway, relative links and files of the product are unchanged',
  async (t) => {
    for (const [value, expected] of Object.entries({
      [`${root}/accounts(1)`]: 'http://gw:8080/accounts(1)',
      'HTTPS://ORG.crm4.dynamics.com:443/api/data/v9.2/accounts(1)': 'http://gw:8080/accounts(1)',
      'https://org.api.crm4.dynamics.com/x': 'http://gw:8080/x',
      '/api/data/v9.2/accounts(1)': '/api/data/v9.2/accounts(1)',
      "accounts(name='a:b')": "accounts(name='a:b')",
      '?sessiontoken=a:b//c': '?sessiontoken=a:b//c',
      'West Europe': 'West Europe',
      '': '',
      'https://store1.blob.core.windows.net/files/a.pdf?sig=x':
        'https://store1.blob.core.windows.net/files/a.pdf?sig=x',
      'https://Store1.blob.core.usgovcloudapi.net/a': 'https://Store1.blob.core.usgovcloudapi.net/a',
      'https://store1.z12.blob.storage.azure.net/a': 'https://store1.z12.blob.storage.azure.net/a',
    }))
      t.same(judged('location', value), { value: expected, hosts: [] }, value)
  },
)

t.test('links to any other host are removed, and their host is reported', async (t) => {
  for (const [value, host] of Object.entries({
    'https://evil.example/x': 'evil.example',
    'HTTPS://Evil.example:8443?x': 'Evil.example:8443',
    'http://org.crm4.dynamics.com/api/data/v9.2/accounts(1)': 'org.crm4.dynamics.com',
    'https://org.crm4.dynamics.com.evil.example/': 'org.crm4.dynamics.com.evil.example',
    'https://org.crm4.dynamics.com@evil.example/': 'evil.example',
    'https://org.crm4.dynamics.com:443@evil.example/': 'evil.example',
    'https://org.crm4.dynamics.com\\@evil.example/': 'org.crm4.dynamics.com',
    'https://name:password@evil.example/': 'evil.example',
    '//evil.example/x': 'evil.example',
    '\\\\evil.example/x': 'evil.example',
    '/\\evil.example/x': 'evil.example',
    '/\t/evil.example/x': 'evil.example',
    ' //evil.example/x': 'evil.example',
    'ht\ttps://evil.example/x': 'evil.example',
    'https:evil.example/x': 'evil.example',
    'https:/evil.example/x': 'evil.example',
    'https:///evil.example/x': 'evil.example',
    'javascript:alert(1)': 'alert?1?',
    'https://[2001:db8::1]/': '[2001:db8::1]',
    'https://ev\u00eel.example/': 'ev?l.example',
    'http://store1.blob.core.windows.net/a': 'store1.blob.core.windows.net',
    'https://store1.blob.core.windows.net.evil.example/a': 'store1.blob.core.windows.net.evil.example',
    'https://a.b.blob.core.windows.net.example/a': 'a.b.blob.core.windows.net.example',
    'https://blob.core.windows.net/a': 'blob.core.windows.net',
    'https://store1.blob.core.windows.net:444/a': 'store1.blob.core.windows.net:444',
    'https://x@store1.blob.core.windows.net/a': 'store1.blob.core.windows.net',
  }))
    t.same(judged('location', value), { value: undefined, hosts: [host] }, JSON.stringify(value))
})

t.test('a Link header is forwarded only if all its links may be', async (t) => {
  t.same(judged('link', `<${root}/a>; rel="next", </b>; rel=prev`), {
    value: '<http://gw:8080/a>; rel="next", </b>; rel=prev',
    hosts: [],
  })
  t.same(judged('link', `<${root}/a>; rel="next", <https://evil.example/b>; rel=prev`), {
    value: undefined,
    hosts: ['evil.example'],
  })
  t.same(judged('link', '<//evil.example/b'), { value: undefined, hosts: ['evil.example'] }, 'not closed')
})

t.test('recognises a link by the name of its header', async (t) => {
  for (const name of [
    'location',
    'content-location',
    'odata-entityid',
    'operation-location',
    'azure-asyncoperation',
    'link',
    'x-ms-location',
    'x-redirect',
    'sourcemap',
    'x-sourcemap',
    'x-next-url',
    'content-base',
  ])
    t.ok(isLinkHeader(name), name)
  for (const name of ['odata-version', 'etag', 'x-ms-service-request-id', 'allocation', 'preference-applied', 'curl']) {
    t.notOk(isLinkHeader(name), name)
  }
})
