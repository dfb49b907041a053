import t from 'tap'

import { explainForeign, isPage, leadsToSignIn } from '../../src/explanations/foreign-responses.ts'

const ENVIRONMENT = { origin: 'https://contoso.crm4.dynamics.com', apiRoot: '/api/data/v9.2' }
const AUTHORITY = 'https://login.private.test'

t.test('recognises a page by its content type', (t) => {
  for (const type of ['text/html', 'text/html; charset=utf-8', 'TEXT/HTML', 'application/xhtml+xml']) {
    t.ok(isPage(type), type)
  }
  for (const type of [undefined, '', 'text/plain', 'application/json', 'text/html-sandboxed', 'multipart/mixed']) {
    t.notOk(isPage(type), String(type))
  }
  t.end()
})

t.test('a redirect to a sign-in page is recognised by host, path or query', (t) => {
  for (const location of [
    'https://login.microsoftonline.com/common/oauth2/authorize?client_id=x',
    'https://login.windows.net/common',
    'https://login.microsoftonline.us/',
    'https://login.private.test/anything',
    'https://filter.test/login',
    'https://filter.test/sign-in.aspx?x=1',
    'https://sts.contoso.com/adfs/ls/?wa=wsignin1.0',
    'https://portal.test/?SAMLRequest=x',
    '/signin',
    'https://contoso.crm4.dynamics.com/SignIn.aspx',
    'https://x.test/?response_type=code',
  ])
    t.ok(leadsToSignIn(location, ENVIRONMENT, AUTHORITY), location)
  for (const location of [
    '/api/data/v9.2/new_logins(1)',
    '/api/data/v9.2/login',
    'https://contoso.crm4.dynamics.com/api/data/v9.2/accounts',
    'https://contoso.blob.core.windows.net.test/file',
    'https://files.test/x?sig=y',
    'accounts',
    'http://[',
    '',
  ])
    t.notOk(leadsToSignIn(location, ENVIRONMENT, AUTHORITY), location)
  t.end()
})

t.test('a response that may be from Dynamics is not called foreign', (t) => {
  for (const evidence of [
    { status: 401, challenge: 'Bearer authorization_uri=x' },
    { status: 401 },
    { status: 403 },
    { status: 500 },
    { status: 403, contentType: 'application/json' },
  ])
    t.equal(explainForeign(evidence), undefined)
  t.end()
})
