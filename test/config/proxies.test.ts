import t from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { readProxies } from '../../src/config/proxies.ts'
import { SettingsError } from '../../src/config/settings-error.ts'

const settings = {
  DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
  AZURE_CLIENT_SECRET: 'x',
  AZURE_TENANT_ID: '11111111-1111-4111-8111-111111111111',
  AZURE_CLIENT_ID: '22222222-2222-4222-8222-222222222222',
}

/** The configuration errors of the variables. */
function errorsOf(variables: Record<string, string>): string[] {
  const found: string[] = []
  readProxies(variables, found)
  return found
}

t.test('proxies are accepted in every usual notation', async (t) => {
  const read = (text: string) => readProxies({ HTTPS_PROXY: text }, []).https
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

  t.equal(read('proxy:3128')?.origin, 'http://proxy:3128')
  t.equal(read('"http://proxy:3128"')?.origin, 'http://proxy:3128', 'quotes left by a shell or a .env file')
  t.equal(read(" 'http://proxy:3128' ")?.origin, 'http://proxy:3128')
  t.equal(read('https://proxy')?.origin, 'https://proxy')
  t.equal(read('HTTP://proxy:3128/')?.origin, 'http://proxy:3128')
  t.equal(read('http://[::1]:3128')?.origin, 'http://[::1]:3128')
  t.equal(read('http://svc:Pw%231@proxy:3128')?.authorization(), basic('svc:Pw#1'))
  t.equal(read('svc:p@ss@proxy:3128')?.authorization(), basic('svc:p@ss'), 'the last @ ends the password')
  t.equal(read('http://proxy:3128')?.authorization(), undefined)
  t.same(errorsOf({ HTTPS_PROXY: '', NO_PROXY: '' }), [])
})

t.test(
  'a password that is not percent-encoded is an error that names the variable and shows no part of it',
  async (t) => {
    const wrong = [
      'http://svc:Pw#1@127.0.0.1:3128',
      'http://svc:12#3Pw@127.0.0.1:3128',
      'http://svc:12/3Pw@127.0.0.1:3128',
      'http://svc:12?3Pw@127.0.0.1:3128',
      'http://svc:Pw\\1@127.0.0.1:3128',
      'http://svc:100%Pw@127.0.0.1:3128',
      'svc:Pw/1@127.0.0.1:3128',
      'http://svc:P w@127.0.0.1:3128',
      'http://svc:%ffPw@127.0.0.1:3128',
      'http://',
    ]
    for (const text of wrong) {
      for (const name of ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy', 'HTTP_PROXY', 'http_proxy']) {
        const [fault = ''] = errorsOf({ [name]: text })
        t.match(fault, new RegExp(`^${name} .*percent-encode`), `${name}=${text}`)
        t.notMatch(fault, /svc|Pw|127\.0|3128/)
      }
    }
  },
)

t.test('a proxy of another kind is an error', async (t) => {
  for (const text of ['socks5://proxy:1080', 'ftp://svc:Pw@proxy', 'file:///x']) {
    t.match(errorsOf({ HTTPS_PROXY: text }), [
      /^HTTPS_PROXY names a proxy that is neither http:\/\/ nor https:\/\/: write/,
    ])
    t.notMatch(errorsOf({ HTTPS_PROXY: text })[0], /socks|svc|Pw/)
  }
  t.same(
    errorsOf({ HTTPS_PROXY: 'http://proxy', HTTP_PROXY: 'http://proxy', ALL_PROXY: 'socks5://proxy' }),
    [],
    'not used',
  )
})

t.test('an entry of NO_PROXY that is not a host is an error', async (t) => {
  for (const text of ['https://contoso.com', '<local>', 'a.*.com', 'name:Pw@host', 'host:port', 'contoso.com/x']) {
    const [fault = ''] = errorsOf({ no_proxy: text })
    t.match(fault, /^no_proxy holds something that is not a host/, text)
    t.notMatch(fault, /contoso|Pw/)
  }
})

t.test('proxies are checked at startup with all other settings', async (t) => {
  const wrong = { ...settings, PORT: 'x', HTTPS_PROXY: 'http://svc:Pw#1@127.0.0.1:3128', NO_PROXY: 'https://a.b' }
  try {
    loadSettings(wrong, undefined)
    t.fail('starts')
  } catch (error) {
    t.match(error, { errors: [/^PORT/, /^HTTPS_PROXY .*percent-encode/, /^NO_PROXY/] })
    t.ok(error instanceof SettingsError)
    t.notMatch(String(error), 'Pw')
  }
  const { proxies } = loadSettings({ ...settings, HTTPS_PROXY: 'http://svc:Pw@127.0.0.1:3128' }, undefined)
  t.equal(proxies.https?.origin, 'http://127.0.0.1:3128')
  t.notMatch(JSON.stringify(proxies), 'Pw')
})
