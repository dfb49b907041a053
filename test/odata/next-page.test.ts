import t from 'tap'

import { nextPagePath } from '../../src/odata/next-page.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'

const root = 'https://contoso.crm4.dynamics.com/api/data/v9.2'
const map = urlMap(targetAddress(root), { base: 'http://gw:8080', form: 'short' })
const from = '/api/data/v9.2/accounts?$select=name'

t.test('the next page must be of the same resource, byte for byte', async (t) => {
  for (const [path, link, next] of [
    [from, `${root}/accounts?$skiptoken=%253c`, '/api/data/v9.2/accounts?$skiptoken=%253c'],
    [from, 'https://contoso.api.crm4.dynamics.com/api/data/v9.2/accounts?a', '/api/data/v9.2/accounts?a'],
    [from, 'accounts?$skiptoken=1', '/api/data/v9.2/accounts?$skiptoken=1'],
    [`${from}/`, `${root}/accounts?a`, '/api/data/v9.2/accounts?a'],
    ['/api/data/v9.2/accounts/', `${root}/accounts?a`, '/api/data/v9.2/accounts?a'],
    ['/api/data/v9.2/accounts(%27a%27)/x', `${root}/accounts('a')/x?a`, "/api/data/v9.2/accounts('a')/x?a"],
  ] as const) {
    t.equal(nextPagePath(map, path, link), next, link)
  }
})

t.test('a path that cannot be decoded has no next page', async (t) => {
  t.equal(nextPagePath(map, '/api/data/v9.2/accounts%ff', `${root}/accounts?a`), undefined)
})

t.test('a link to another host or resource is not a next page', async (t) => {
  for (const link of [
    'https://evil.example/api/data/v9.2/accounts?a',
    'https://contoso.crm4.dynamics.com.evil.example/api/data/v9.2/accounts?a',
    '//evil.example/api/data/v9.2/accounts',
    '\\\\evil.example\\accounts',
    '/api/data/v9.2/accounts?a',
    'https://contoso.crm4.dynamics.com',
    'https://contoso.crm4.dynamics.com/XRMServices/accounts',
    `${root}/contacts?a`,
    `${root}/accounts/../contacts?a`,
    `${root}/accounts(1)/contact_customer_accounts?a`,
    `${root}/accounts?a b`,
    `${root}/accounts?a#b`,
    `${root}/accounts%zz?a`,
    'contacts?a',
    '',
  ]) {
    t.equal(nextPagePath(map, from, link), undefined, link.slice(0, 80))
  }
  t.equal(nextPagePath(map, '/Image/download.aspx', 'accounts'), undefined)
})
