import fc from 'fast-check'
import t from 'tap'

import { targetFault } from '../../src/odata/request-target.ts'

t.test('paths of the Web API pass unchanged', (t) => {
  for (const target of [
    '/',
    '/accounts',
    '/accounts/',
    '/api/data/v9.2/accounts?$top=3&$filter=name%20eq%20%27a%5Cb..%2F%27',
    '/$metadata',
    '/$batch',
    '/%24batch',
    '/$BATCH',
    '/$batch/',
    '/$batch?x=$batch()',
    "/accounts(name='$batch/x')",
    '/accounts?$filter=$batchx',
    '/accounts(00000000-0000-0000-0000-000000000001)/primarycontactid/$ref',
    "/accounts(accountnumber='A%2FB')",
    "/accounts(name='..')",
    "/accounts(name='a..b')/$value",
    "/accounts(name='%2E%2E%2Fx')",
    "/accounts(name='../x')",
    "/accounts(name='it''s',key2=2)",
    '/accounts%28name=%27a%2Fb%27%29',
    "/accounts(name='M%C3%BCller')",
    "/accounts(name='100%25;x(')",
    '/WhoAmI()',
    "/accounts(1)/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Principal=@p)?@p={'@odata.id':'systemusers(1)'}",
    '/accounts?fetchXml=<fetch><entity%20name="account"/></fetch>',
    '/Image/download.aspx?Entity=account&Attribute=entityimage',
    '/%61ccounts',
    '/accounts?$filter=a/../b',
    "/systemusers?$filter=domainname%20eq%20'CONTOSO\\ada'",
    '/accounts?x=//evil',
    "/accounts(websiteurl='https://contoso.com')",
    '/.well-known',
    '/accounts(a=%27x%27,%20b=2)',
    '/accounts?$skiptoken=%253Ccookie%2520pagenumber=%25222%2522',
  ])
    t.equal(targetFault(target), undefined, target)
  t.end()
})

t.test('paths that a server behind the gateway may read differently are refused', (t) => {
  for (const target of [
    '/..',
    '/../x',
    '/a/../b',
    '/a/./b',
    '/.',
    '/a/..',
    '/%2e%2e/x',
    '/%2E./x',
    '/.%2e',
    '/a/%2e/b',
    '/..;/x',
    '/a/..;x=y/b',
    '/%252e%252e/x',
    '/..%2fx',
    '/a%2f..%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/..%5cx',
    '/a\\b',
    '/a/..\\b',
    '//evil.example/x',
    '///x',
    '/a//b',
    '/api/data/v9.2//accounts',
    'http://localhost/accounts',
    'https://evil.example/',
    'evil.example:443',
    '*',
    '',
    'accounts',
    '/a#b',
    '/a?x#y',
    '/a?x=1#',
    '/a\x01',
    '/a\x7f',
    '/a?\t',
    '/\u00e9',
    '/a?\u00ff',
    '/%00',
    '/a%0d%0aX:%20y',
    "/a(b='%00')",
    '/a%7f',
    '/%c3%a9',
    '/%ef%bc%8e%ef%bc%8e/x',
    '/%c0%ae%c0%ae/x',
    "/a(b='%c0%ae')",
    '/$%62atch',
    '/%24%62atch',
    '/$b%61tch?x',
    '/$batch()',
    '/$batch(1)',
    '/%24batch()',
    '/$batchx',
    '/$batch/x',
    '/$batch/$count',
    '/x/$batc%68/',
    '/...',
    '/accounts.',
    '/accounts./x',
    '/accounts.(1)',
    '/accounts%2e',
    '/accounts%2E%281%29',
    '/accounts%20',
    '/%20accounts',
    '/a%',
    '/a%2',
    '/a%zz',
    '/a;x',
    '/a%3bx',
    '/a%3fx',
    '/a%23x',
    "/a'x'",
    "/a'%2F..%2F..%2Fx'",
    "/a(b='c",
    '/a(b',
    '/a)',
    "/a(b='c'))",
    '/a(b/c)',
    "/accounts(name='/../../../XRMServices')",
    "/accounts(name='/%2e%2e/x')",
    "/accounts(name='x'%2F..%2F..%2Fy='')",
  ])
    t.type(targetFault(target), 'string', JSON.stringify(target))
  t.end()
})

t.test('accepted paths are unchanged by URL normalisation, however often they are decoded outside quotes', (t) => {
  const pieces = [
    '/',
    '..',
    '.',
    '%2e',
    '%2E',
    '%2f',
    '%5c',
    '\\',
    '%25',
    '%252e',
    ';',
    '?',
    '#',
    "'",
    '%27',
    '(',
    ')',
    '%28',
    'a',
    'accounts',
    '=',
    ',',
    '%',
    '%00',
    '%c0%ae',
    '\u00e9',
    '@',
    ':',
    '//',
    ' ',
    '\t',
    '~',
  ]
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (parts) => {
        const target = `/${parts.join('')}`
        if (targetFault(target) !== undefined) return true
        const path = target.split('?')[0]!
        const tidied = new URL(`http://gateway${target}`)
        const unquoted = path.replaceAll('%27', "'").replace(/'[^']*'/g, '')
        const decoded = decodeURIComponent(decodeURIComponent(unquoted))
        return (
          tidied.host === 'gateway' &&
          tidied.pathname.split('/').length === path.split('/').length &&
          !/(?:^|\/)\.{1,2}(?:\/|;|$)|\\|%|\/\//.test(decoded) &&
          decoded.split('/').length === unquoted.split('/').length
        )
      }),
      { numRuns: 20_000 },
    ),
  )
  t.end()
})
