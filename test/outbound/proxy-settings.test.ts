import t from 'tap'

import { readProxies } from '../../src/config/proxies.ts'
import { proxyFor } from '../../src/outbound/proxy-settings.ts'

/** The proxy that leads to `url` while `variables` are set. */
function through(url: string, variables: Record<string, string>): string | undefined {
  const faults: string[] = []
  const proxies = readProxies(variables, faults)
  if (faults.length > 0) throw new Error(faults.join())
  return proxyFor(new URL(url), proxies)?.origin
}

const dynamics = 'https://contoso.crm4.dynamics.com'
const plain = 'http://inside.example:8081'

t.test('finds the proxy as curl does', async (t) => {
  t.equal(through(dynamics, {}), undefined)
  t.equal(through(dynamics, { HTTPS_PROXY: 'http://proxy:3128' }), 'http://proxy:3128')
  t.equal(
    through(dynamics, { https_proxy: 'http://small:3128', HTTPS_PROXY: 'http://proxy:3128' }),
    'http://small:3128',
    'lower case first',
  )
  t.equal(through(dynamics, { HTTPS_PROXY: 'proxy:3128' }), 'http://proxy:3128', 'http is the default')
  t.equal(through(dynamics, { ALL_PROXY: 'http://all:3128' }), 'http://all:3128')
  t.equal(through(plain, { all_proxy: 'http://all:3128' }), 'http://all:3128')
  t.equal(through(dynamics, { all_proxy: 'http://all:3128', HTTPS_PROXY: 'http://proxy:3128' }), 'http://proxy:3128')
  t.equal(through(dynamics, { HTTP_PROXY: 'http://proxy:3128' }), 'http://proxy:3128', 'stands in for HTTPS_PROXY')
  t.equal(through(plain, { http_proxy: 'http://proxy:3128' }), 'http://proxy:3128')
  t.equal(through(plain, { HTTPS_PROXY: 'http://proxy:3128' }), undefined, 'applies to https only')
  t.equal(through(dynamics, { HTTPS_PROXY: '' }), undefined)
})

t.test('does not use the proxy for hosts in NO_PROXY', async (t) => {
  const leaves = (to: string, list: string, name = 'NO_PROXY'): boolean =>
    through(to, { ALL_PROXY: 'http://p', [name]: list }) === undefined
  t.equal(leaves(dynamics, 'contoso.crm4.dynamics.com'), true)
  t.equal(leaves(dynamics, 'contoso.crm4.dynamics.com', 'no_proxy'), true)
  t.equal(
    leaves(dynamics, '"elsewhere.example, DYNAMICS.com"'),
    true,
    'a domain includes its subdomains, in any letter case',
  )
  t.equal(leaves(dynamics, '.dynamics.com'), true)
  t.equal(leaves(dynamics, '*.dynamics.com'), true)
  t.equal(leaves(dynamics, 'namics.com'), false, 'not a suffix within a label')
  t.equal(leaves(dynamics, '*'), true)
  t.equal(leaves(dynamics, 'dynamics.com:443'), true)
  t.equal(leaves(dynamics, 'dynamics.com:8443'), false, 'another port')
  t.equal(leaves(plain, 'inside.example:8081'), true)
  t.equal(leaves(plain, ''), false)
  t.equal(leaves('http://inside.example', 'inside.example:80'), true)
  t.equal(leaves('https://10.1.2.3', '10.0.0.0/8'), true, 'a network')
  t.equal(leaves('https://11.1.2.3', '10.0.0.0/8'), false)
  t.equal(leaves(dynamics, '10.0.0.0/8'), false)
  t.equal(leaves('https://[fd00::1]', 'fd00::/8'), true)
  t.equal(leaves('https://[fd00::1]:8443', '[fd00::1]:8443'), true)
  t.equal(leaves('https://[fd00::1]', 'fd00::1'), true)
  t.equal(leaves('https://xn--bcher-kva.example', 'bücher.example'), true)
})

const everywhere = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'].map((name) => ({
  [name]: 'http://proxy:3128',
}))

t.test('loopback and the endpoint of a managed identity are never reached through a proxy', async (t) => {
  for (const variables of everywhere) {
    for (const url of [
      'http://127.0.0.1:8081',
      'https://127.9.9.9',
      'http://127.1',
      'https://localhost:8443',
      'https://LOCALHOST',
      'http://[::1]:8081',
      'http://[::ffff:127.0.0.1]',
      'http://0.0.0.0:8081',
      'https://dynamics.localhost',
      'http://169.254.169.254/metadata',
      'http://169.254.129.2:8081/msi/token',
      'http://[fe80::1]',
    ]) {
      t.equal(through(url, variables), undefined, `${Object.keys(variables)[0]} ${url}`)
    }
    for (const name of ['IDENTITY_ENDPOINT', 'IMDS_ENDPOINT', 'MSI_ENDPOINT', 'AZURE_POD_IDENTITY_AUTHORITY_HOST']) {
      const announced = { ...variables, [name]: '"http://10.0.0.7:4141/msi/token"' }
      t.equal(through('http://10.0.0.7:4141/msi/token', announced), undefined, name)
    }
  }
  t.equal(through('https://127.0.0.1.example', { HTTPS_PROXY: 'http://proxy:3128' }), 'http://proxy:3128')
  t.equal(through('https://localhost.example', { HTTPS_PROXY: 'http://proxy:3128' }), 'http://proxy:3128')
})
