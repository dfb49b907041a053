import t from 'tap'

import { proxyFor } from '../../src/dynamics/proxy-settings.ts'

const dynamics = { protocol: 'https:', hostname: 'contoso.crm4.dynamics.com', port: '' }
const local = { protocol: 'http:', hostname: '127.0.0.1', port: '8081' }

function through(to: typeof dynamics, environment: Record<string, string>): string | undefined {
  return proxyFor(to, environment)?.href
}

t.test('finds the proxy as curl does', async (t) => {
  t.equal(through(dynamics, {}), undefined)
  t.equal(through(dynamics, { HTTPS_PROXY: 'http://proxy:3128' }), 'http://proxy:3128/')
  t.equal(
    through(dynamics, { https_proxy: 'http://small:3128', HTTPS_PROXY: 'http://proxy:3128' }),
    'http://small:3128/',
    'small letters first',
  )
  t.equal(through(dynamics, { HTTPS_PROXY: 'proxy:3128' }), 'http://proxy:3128/', 'http is meant where nothing is said')
  t.equal(through(dynamics, { HTTP_PROXY: 'http://proxy:3128' }), 'http://proxy:3128/', 'stands in for HTTPS_PROXY')
  t.equal(through(local, { HTTPS_PROXY: 'http://proxy:3128' }), undefined, 'is for https alone')
  t.equal(through(dynamics, { HTTPS_PROXY: '' }), undefined)
})

t.test('leaves out what NO_PROXY names', async (t) => {
  const leaves = (to: typeof dynamics, list: string): boolean =>
    through(to, { HTTP_PROXY: 'http://p', NO_PROXY: list }) === undefined
  t.equal(leaves(dynamics, 'contoso.crm4.dynamics.com'), true)
  t.equal(leaves(dynamics, 'localhost, DYNAMICS.com'), true, 'a domain covers what is below it, in any case')
  t.equal(leaves(dynamics, '.dynamics.com'), true)
  t.equal(leaves(dynamics, '*.dynamics.com'), true)
  t.equal(leaves(dynamics, 'namics.com'), false, 'not a mere end of letters')
  t.equal(leaves(dynamics, '*'), true)
  t.equal(leaves(dynamics, 'dynamics.com:443'), true)
  t.equal(leaves(dynamics, 'dynamics.com:8443'), false, 'another port')
  t.equal(leaves(local, '127.0.0.1:8081'), true)
  t.equal(leaves(local, ''), false)
  t.equal(leaves({ ...local, port: '' }, '127.0.0.1:80'), true)
})

t.test('a managed identity\'s end point is never asked through a proxy', async (t) => {
  t.equal(
    proxyFor({ protocol: 'http:', hostname: '169.254.169.254', port: '' }, { HTTP_PROXY: 'http://proxy:3128' }),
    undefined,
  )
})
