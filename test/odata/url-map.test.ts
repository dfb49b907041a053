import t from 'tap'

import { addressForm, upstreamPath, resourcePathOf, targetAddress } from '../../src/odata/target-address.ts'
import { type GatewayAddress, upstreamUrl, downstreamUrl, urlMap } from '../../src/odata/url-map.ts'

const dataverse = targetAddress('https://Contoso.crm4.dynamics.com/api/data/v9.2/')

t.test('the address of a target has both host names of an environment and its API root', async (t) => {
  t.match(dataverse, {
    origins: ['https://contoso.crm4.dynamics.com', 'https://contoso.api.crm4.dynamics.com'],
    apiRoot: '/api/data/v9.2',
  })
  t.match(targetAddress('https://contoso.api.crm.dynamics.com/api/data/v9.2').origins, [
    'https://contoso.api.crm.dynamics.com',
    'https://contoso.crm.dynamics.com',
  ])
  t.same(targetAddress('http://127.0.0.1:4000/api/data/v9.2').origins, ['http://127.0.0.1:4000'])
  t.same(targetAddress('https://contoso.operations.dynamics.com/data').origins, [
    'https://contoso.operations.dynamics.com',
  ])
  t.equal(targetAddress('http://localhost:4004').apiRoot, '')
  t.throws(() => targetAddress('contoso'), TypeError)
  t.equal(dataverse.batchUrls, 'as written')
  t.equal(targetAddress('http://localhost:4004/odata/v4/catalog').batchUrls, 'relative')
})

t.test('a path of the target is used unchanged, and any other is below the API root', async (t) => {
  const finance = targetAddress('https://x.operations.dynamics.com/data')
  const central = targetAddress('https://api.businesscentral.dynamics.com/v2.0/tenant/prod/api/v2.0')
  for (const [target, path, expected] of [
    [dataverse, '/accounts', '/api/data/v9.2/accounts'],
    [dataverse, '', '/api/data/v9.2'],
    [dataverse, '/api/data/v9.0/accounts', '/api/data/v9.0/accounts'],
    [dataverse, '/api/data/v9.2', '/api/data/v9.2'],
    [dataverse, '/api/data/v9.2x', '/api/data/v9.2/api/data/v9.2x'],
    [dataverse, '/api/search/v2.0/query', '/api/data/v9.2/api/search/v2.0/query'],
    [finance, '/data/Customers', '/data/Customers'],
    [finance, '/Customers', '/data/Customers'],
    [central, '/companies', '/v2.0/tenant/prod/api/v2.0/companies'],
    [central, '/v2.0/tenant/prod/api/contoso/app/v1.0/companies', '/v2.0/tenant/prod/api/contoso/app/v1.0/companies'],
    [central, '/v2.0/tenant/prod/ODataV4/Company', '/v2.0/tenant/prod/ODataV4/Company'],
    [central, '/v2.0/prod/api/v2.0/companies', '/v2.0/prod/api/v2.0/companies'],
    [central, '/v2.0/prod/apis', '/v2.0/tenant/prod/api/v2.0/v2.0/prod/apis'],
    [central, '/v2.0/tenant/test/api/v2.0/companies', '/v2.0/tenant/prod/api/v2.0/v2.0/tenant/test/api/v2.0/companies'],
    [targetAddress('http://localhost:4004'), '/Books', '/Books'],
    [targetAddress('https://crm.example/org(1)/api/data/v9.1'), '/org(1)/api/data/v9.0/x', '/org(1)/api/data/v9.0/x'],
  ] as const)
    t.equal(upstreamPath(target, path), expected, `${target.apiRoot} ${path}`)
  t.equal(resourcePathOf(central, '/v2.0/prod/api/v2.0/companies(1)'), '/companies(1)')
  t.equal(resourcePathOf(central, '/v2.0/tenant/prod/ODataV4/Company'), '/Company')
  t.equal(resourcePathOf(central, '/v2.0/tenant/test/api/v2.0'), undefined)
  t.equal(resourcePathOf(dataverse, '/api/data/v9.0/accounts'), '/accounts')
  t.equal(addressForm(dataverse, '/api/data/v9.1/accounts'), 'long')
  t.equal(addressForm(dataverse, '/accounts'), 'short')
})

t.test('a URL of the target is mapped to the gateway', async (t) => {
  const short = urlMap(dataverse, { base: 'http://gw:8080', form: 'short' })
  const long = urlMap(dataverse, { base: 'https://gw.example/sales/', form: 'long' })
  for (const [url, expectedShort, expectedLong] of [
    [
      'https://contoso.crm4.dynamics.com/api/data/v9.2/accounts(1)',
      'http://gw:8080/accounts(1)',
      'https://gw.example/sales/api/data/v9.2/accounts(1)',
    ],
    [
      'HTTPS://CONTOSO.API.CRM4.dynamics.com:443/api/data/v9.2/a?x=/',
      'http://gw:8080/a?x=/',
      'https://gw.example/sales/api/data/v9.2/a?x=/',
    ],
    ['https://contoso.crm4.dynamics.com/api/data/v9.2', 'http://gw:8080', 'https://gw.example/sales/api/data/v9.2'],
    [
      'https://contoso.crm4.dynamics.com/api/data/v9.2?$top=1',
      'http://gw:8080?$top=1',
      'https://gw.example/sales/api/data/v9.2?$top=1',
    ],
    [
      'https://contoso.crm4.dynamics.com/api/data/v9.1/a',
      'http://gw:8080/api/data/v9.1/a',
      'https://gw.example/sales/api/data/v9.1/a',
    ],
    [
      'https://contoso.crm4.dynamics.com/api/data/v9.20/a',
      'http://gw:8080/api/data/v9.20/a',
      'https://gw.example/sales/api/data/v9.20/a',
    ],
    [
      'https://contoso.crm4.dynamics.com/Image/download.aspx?Id=1',
      'http://gw:8080/Image/download.aspx?Id=1',
      'https://gw.example/sales/Image/download.aspx?Id=1',
    ],
    ['https://contoso.crm4.dynamics.com', 'http://gw:8080', 'https://gw.example/sales'],
    ['https://contoso.crm4.dynamics.com#x', 'http://gw:8080#x', 'https://gw.example/sales#x'],
    [
      'https://contoso.crm4.dynamics.com.evil/',
      'https://contoso.crm4.dynamics.com.evil/',
      'https://contoso.crm4.dynamics.com.evil/',
    ],
    [
      'https://contoso.crm4.dynamics.com:4433/',
      'https://contoso.crm4.dynamics.com:4433/',
      'https://contoso.crm4.dynamics.com:4433/',
    ],
    ['/api/data/v9.2/accounts(1)', '/api/data/v9.2/accounts(1)', '/api/data/v9.2/accounts(1)'],
    ['', '', ''],
  ] as const) {
    t.equal(downstreamUrl(short, url), expectedShort, url)
    t.equal(downstreamUrl(long, url), expectedLong, url)
  }
})

t.test('a URL of the gateway is mapped to the target by its longest base', async (t) => {
  const map = urlMap(dataverse, {
    base: 'http://gw',
    otherBases: ['http://gw:80/crm', 'https://[::1]:8443'],
    form: 'short',
  })
  for (const [url, expected] of [
    ['http://gw/crm/accounts', 'https://contoso.crm4.dynamics.com/api/data/v9.2/accounts'],
    ['http://gw/accounts', 'https://contoso.crm4.dynamics.com/api/data/v9.2/accounts'],
    ['http://GW:80/api/data/v9.1/accounts', 'https://contoso.crm4.dynamics.com/api/data/v9.1/accounts'],
    ['https://[::1]:8443/accounts', 'https://contoso.crm4.dynamics.com/api/data/v9.2/accounts'],
    ['http://gw/CRM/accounts', 'https://contoso.crm4.dynamics.com/api/data/v9.2/CRM/accounts'],
    ['http://gw:8080/accounts', 'http://gw:8080/accounts'],
    ['http://gwx/accounts', 'http://gwx/accounts'],
  ] as const)
    t.equal(upstreamUrl(map, url), expected, url)
})

t.test('a base that is not safe in a header or in JSON is refused', async (t) => {
  for (const base of [
    'http://gw"',
    'http://gw\\',
    'http://gw\r\nx: y',
    'http://gw<',
    'http://gẃ',
    'gw',
    'ftp://gw',
    'http://',
  ]) {
    t.throws(() => urlMap(dataverse, { base, form: 'short' } satisfies GatewayAddress), TypeError, base)
  }
})
