import t from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { readNode } from '../../src/config/read-node.ts'
import { parseRule } from '../../src/config/rule.ts'
import { callers as schema } from '../../src/config/settings/callers.ts'
import { gatewayForRawDynamics } from '../support/raw-dynamics.ts'
import { get, rawRequest, requestOf } from '../support/raw-http.ts'

// Raw requests, each with its expected outcome. What is refused must not reach Dynamics at all; what passes must reach
// it byte for byte, without headers that only the gateway may set.

/** Headers with which platforms and gateways in front of this one identify the caller. */
const IDENTITIES = [
  'X-Authorization',
  'x-AUTHORIZATION',
  'X-Original-Authorization',
  'X-Serverless-Authorization',
  'X-MS-TOKEN-AAD-ACCESS-TOKEN',
  'X-MS-TOKEN-AAD-ID-TOKEN',
  'X-MS-CLIENT-PRINCIPAL',
  'X-MS-CLIENT-PRINCIPAL-NAME',
  'X-Ms-Client-Principal-Id',
  'X-Forwarded-Access-Token',
  'X-Forwarded-Email',
  'X-Forwarded-Client-Cert',
  'X-Auth-Request-User',
  'X-Auth-Request-Access-Token',
  'X-Amzn-Oidc-Data',
  'X-Amzn-Oidc-Accesstoken',
  'X-Amzn-Mtls-Clientcert',
  'X-Goog-IAP-JWT-Assertion',
  'X-Goog-Authenticated-User-Email',
  'Cf-Access-Jwt-Assertion',
  'CF-Access-Client-Secret',
  'X-Access-Token',
  'X-Id-Token',
  'X-Auth-Token',
  'X-Remote-User',
  'Remote-User',
  'Remote-Groups',
  'X-Pomerium-Jwt-Assertion',
  'X-Authentik-Username',
  'Tailscale-User-Login',
  'Client-Cert',
  'X-ARR-ClientCert',
  'Ssl-Client-Cert',
  'DPoP',
  'Api-Key',
  'Ocp-Apim-Subscription-Key',
  'X-Functions-Key',
  'X-ZUMO-AUTH',
  'True-Client-IP',
  'CF-Connecting-IP',
  'Id-Token',
  'X-Token',
  'X-Api-Token',
  'X-JWT',
  'Teleport-Jwt-Assertion',
  'X-Authenticated-Userid',
  'X-Consumer-Username',
  'X-Credential-Identifier',
  'X-Username',
  'X-Email',
  'MS-ASPNETCORE-CLIENTCERT',
  'X-SSL-Cert',
  'X-Original-Forwarded-For',
  'X-ProxyUser-Ip',
  'From',
  'Bearer',
  'X-Bearer',
  'X-Principal',
  'X-Identity',
  'X-Gateway-Key',
  'X-Method',
  'X-Tunnel-Method',
  'X-Original-Method',
]

t.test('paths of the Web API reach Dynamics byte for byte', async (t) => {
  const { port, requests } = await gatewayForRawDynamics(t)

  for (const target of [
    '/accounts',
    '/accounts?',
    '/accounts?$top=3',
    '/accounts?$select=name&$filter=name%20eq%20%27A%2FB%27',
    '/accounts(00000000-0000-0000-0000-000000000001)',
    "/accounts(accountnumber='A%2FB')",
    "/accounts(accountnumber='..')",
    "/accounts(accountnumber='a..b')/name",
    "/accounts(accountnumber='%2E%2E%2Fx')",
    "/accounts(accountnumber='../x')",
    "/accounts(accountnumber='it''s',key2=2)",
    "/accounts(name='M%C3%BCller')",
    "/accounts(name='100%25')",
    "/accounts(name='a%5Cb')",
    '/accounts%28name=%27a%2Fb%27%29',
    '/accounts(1)/primarycontactid/$ref',
    '/accounts/$count',
    '/$metadata',
    '/$metadata?annotations=true',
    '/WhoAmI',
    '/WhoAmI()',
    '/accounts(1)/Microsoft.Dynamics.CRM.X(p=@p)?@p={%22@odata.id%22:%22accounts(1)%22}',
    '/accounts?$skiptoken=%3Ccookie%20pagingcookie=%22%253ccookie%2520page%253d%25221%2522%253e%22%20/%3E',
    '/accounts?fetchXml=%3Cfetch%3E',
    '/accounts?a=1&a=2&=&',
    "/accounts?$filter=contains(name,'..//%2e%2e')",
    '/accounts?x=http://evil.example/',
    '/accounts?x=\\',
    "/EntityDefinitions(LogicalName='account')/Attributes",
    '/accounts?%zz',
    '/%61ccounts',
    '/accounts/',
    '/x@y',
    '/accounts?q=%00',
  ]) {
    requests.length = 0
    t.equal((await rawRequest({ port }, get(target))).status, 200, target)
    t.equal(requests.length, 1)
    t.equal(requests[0]?.split(' HTTP/1.1')[0], `GET /api/data/v9.2${target}`)
  }
  for (const target of [
    '/api/data/v9.2/accounts?$top=1',
    '/api/data/v9.1/accounts',
    '/Image/download.aspx?Entity=account&Attribute=entityimage&Id=1',
  ]) {
    requests.length = 0
    t.equal((await rawRequest({ port }, get(target))).status, 200, target)
    t.equal(requests[0]?.split(' HTTP/1.1')[0], `GET ${target}`)
  }
})

t.test('a request that is refused at the door never reaches Dynamics', async (t) => {
  const { port, bytes } = await gatewayForRawDynamics(t)
  const chunked = (lines: readonly string[], body: string): string =>
    `${requestOf('POST /accounts', 'Content-Type: application/json', ...lines)}${body}`

  /** Attack in words → bytes, status, code. */
  const table: readonly (readonly [attack: string, bytes: string, status: number, code?: string])[] = [
    // Paths that a server behind the gateway may read differently.
    ...[
      '/..',
      '/../x',
      '/accounts/../contacts',
      '/accounts/./x',
      '/.',
      '/accounts/..',
      '/%2e%2e/x',
      '/%2E./x',
      '/.%2e',
      '/a/%2e/b',
      '/..;/x',
      '/a/..;x=y/b',
      '/%252e%252e/x',
      '/..%2fx',
      '/accounts%2f..%2fx',
      '/accounts%2Fx',
      '/accounts%5cx',
      '/..%5cx',
      '/accounts\\..\\x',
      '/\\evil.example',
      '//evil.example/x',
      '///x',
      '/accounts//x',
      '/api/data/v9.2//accounts',
      '/api/data/v9.2/../../../XRMServices/2011/Organization.svc',
      '/accounts#x',
      '/accounts?x#y',
      '/accounts\x01',
      '/accounts\x7f',
      '/accounts?\tx',
      '/\xe9',
      '/accounts?\xff',
      '/accounts%00',
      '/accounts%0d%0aX-Evil:%20y',
      "/accounts(x='%00')",
      '/%c3%a9',
      '/%ef%bc%8e%ef%bc%8e/x',
      '/%c0%ae%c0%ae/x',
      "/accounts(x='%c0%ae')",
      '/accounts%',
      '/accounts%2',
      '/accounts%zz',
      '/accounts;x',
      '/accounts%3bx',
      '/accounts%3fx',
      '/accounts%23x',
      "/accounts'x'",
      "/accounts'%2F..%2F..%2Fx'",
      "/accounts(x='c",
      '/accounts(1',
      '/accounts)',
      "/accounts(x='/../../../../XRMServices')",
      '/accounts%3Cx',
      '/accounts|',
      '/accounts.',
      '/accounts(1)x',
      '/(1)',
      '/foo.$batch',
      '/api/data/v9.2r$batch',
      'http://localhost/accounts',
      'http://evil.example/accounts',
      'https://localhost@evil.example/',
      'HTTP://localhost/',
      '*',
      'evil.example:443',
      'accounts',
      '?x',
    ].map((target) => [`target ${JSON.stringify(target)}`, get(target), 400, 'GATEWAY_BAD_REQUEST'] as const),

    // Names that are not the gateway's: DNS rebinding, and spellings of addresses that only some programs understand.
    ...[
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '127.0.0.1.nip.io',
      '0.0.0.0',
      '0',
      '127.1',
      '127.0.1',
      '2130706433',
      '0x7f000001',
      '017700000001',
      '[::ffff:127.0.0.1]',
      '[::]',
      '[0:0:0:0:0:0:0:1]',
      '10.1.2.3',
      'localhost.',
      '127.0.0.1.',
      'contoso.crm4.dynamics.com',
    ].map((name) => [`Host ${name}`, get('/accounts', `Host: ${name}`), 421, 'GATEWAY_HOST_NOT_ALLOWED'] as const),
    ...[
      '',
      'localhost, evil.example',
      'localhost@evil.example',
      'evil.example#localhost',
      'localhost:x',
      'localhost:99999',
      '::1',
      'localhost/x',
      'local host',
      '\xe9',
    ].map(
      (name) =>
        [`Host ${JSON.stringify(name)}`, get('/accounts', `Host: ${name}`), 400, 'GATEWAY_BAD_REQUEST'] as const,
    ),
    ['two Hosts', get('/accounts', 'Host: localhost', 'Host: evil.example'), 400, 'GATEWAY_BAD_REQUEST'],
    ['no Host', 'GET /accounts HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'GATEWAY_BAD_REQUEST'],
    ['no Host in HTTP/1.0', 'GET /accounts HTTP/1.0\r\n\r\n', 400, 'GATEWAY_BAD_REQUEST'],

    // Pages of other origins.
    ...[
      ['Origin: https://evil.example'],
      ['Origin: null'],
      ['Origin:'],
      ['Origin: http://localhost:3000'],
      ['Origin: https://localhost'],
      ['Origin: http://localhost', 'Origin: https://evil.example'],
      ['Sec-Fetch-Site: cross-site'],
      ['Sec-Fetch-Site: same-site'],
      ['sec-fetch-site: Cross-Site'],
      ['Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site'],
      ['Origin: file://'],
      ['Origin: chrome-extension://abc'],
    ].map((lines) => [lines.join(', '), get('/accounts', ...lines), 403, 'GATEWAY_ORIGIN_NOT_ALLOWED'] as const),
    [
      'a form of a foreign page',
      `${requestOf('POST /accounts', 'Origin: https://evil.example', 'Content-Type: text/plain', 'Content-Length: 2')}{}`,
      403,
      'GATEWAY_ORIGIN_NOT_ALLOWED',
    ],
    [
      'a preflight',
      requestOf('OPTIONS /accounts', 'Origin: https://evil.example', 'Access-Control-Request-Method: PATCH'),
      403,
      'GATEWAY_ORIGIN_NOT_ALLOWED',
    ],
    [
      'an Origin behind a thousand lines',
      get('/accounts', ...Array.from({ length: 1500 }, (_, n) => `a${n}: b`), 'Origin: https://evil.example'),
      431,
      'GATEWAY_HEAD_TOO_LARGE',
    ],

    // Callers that choose their own identity.
    ...[
      'CallerObjectId',
      'callerobjectid',
      'CALLEROBJECTID',
      'MSCRMCallerID',
      'mscrmcallerid',
      'MSCRMCallerObjectID',
      'MSCRM_CallerID',
      'Caller_Object_Id',
      'Caller-Object-Id',
      'mscrm.callerid',
    ].map(
      (name) =>
        [
          name,
          get('/accounts', `${name}: 00000000-0000-0000-0000-000000000001`),
          400,
          'GATEWAY_CALLER_ID_NOT_ALLOWED',
        ] as const,
    ),
    [
      'a caller id that Connection nominates',
      get('/accounts', 'Connection: callerobjectid', 'CallerObjectId: x'),
      400,
      'GATEWAY_CALLER_ID_NOT_ALLOWED',
    ],
    ...[
      '',
      ' ',
      'a',
      'a@b@c',
      'a@contoso.com,b@contoso.com',
      'a@contoso.com;b@contoso.com',
      '<a@contoso.com>',
      'a b@contoso.com',
      '@contoso.com',
      'a@',
      '\xff@contoso.com',
      `${'a'.repeat(100)}@b.c`,
    ].map(
      (email) =>
        [
          `user ${JSON.stringify(email.slice(0, 30))}`,
          get('/accounts', `X-User-Email: ${email}`),
          400,
          'GATEWAY_BAD_USER_EMAIL',
        ] as const,
    ),
    [
      'two users',
      get('/accounts', 'X-User-Email: a@contoso.com', 'x-user-email: b@contoso.com'),
      400,
      'GATEWAY_BAD_USER_EMAIL',
    ],
    [
      'the same user twice',
      get('/accounts', 'X-User-Email: a@contoso.com', 'X-User-Email: a@contoso.com'),
      400,
      'GATEWAY_BAD_USER_EMAIL',
    ],
    ['a user with underscores', get('/accounts', 'X_User_Email: a@contoso.com'), 400, 'GATEWAY_BAD_USER_EMAIL'],
    ['a user with dots', get('/accounts', 'X.User.Email: a@contoso.com'), 400, 'GATEWAY_BAD_USER_EMAIL'],
    [
      'a user that Connection nominates',
      get('/accounts', 'Connection: x-user-email', 'X-User-Email: no address'),
      400,
      'GATEWAY_BAD_USER_EMAIL',
    ],

    // Requests that need a permission.
    ...[
      'MSCRM.BypassCustomPluginExecution',
      'mscrm.bypassbusinesslogicexecution',
      'MSCRM.BypassBusinessLogicExecutionStepIds',
      'MSCRM_BypassCustomPluginExecution',
      'MSCRM.SuppressCallbackRegistrationExpanderJob',
      'X-HTTP-Method',
      'X-HTTP-Method-Override',
      'x-method-override',
      'X_HTTP_Method_Override',
    ].map(
      (name) =>
        [
          name,
          `${requestOf('POST /accounts', `${name}: true`, 'Content-Length: 2')}{}`,
          403,
          'GATEWAY_CALLER_NOT_ALLOWED',
        ] as const,
    ),
    ...['respond-async, callback; url="https://evil.example"', 'callback;url=x', 'odata.callback; url="x"'].map(
      (value) => [`Prefer: ${value}`, get('/accounts', `Prefer: ${value}`), 403, 'GATEWAY_CALLER_NOT_ALLOWED'] as const,
    ),

    // Request smuggling: two readings of where a request ends.
    ['GET with a body', `${get('/accounts', 'Content-Length: 2')}{}`, 400, 'GATEWAY_BAD_REQUEST'],
    ['HEAD with a body', `${requestOf('HEAD /accounts', 'Content-Length: 2')}{}`, 400],
    ['GET with chunks', `${get('/accounts', 'Transfer-Encoding: chunked')}0\r\n\r\n`, 400, 'GATEWAY_BAD_REQUEST'],
    [
      'Content-Length and Transfer-Encoding',
      chunked(['Content-Length: 6', 'Transfer-Encoding: chunked'], '0\r\n\r\nX'),
      400,
      'GATEWAY_BAD_REQUEST',
    ],
    [
      'Transfer-Encoding and Content-Length',
      chunked(['Transfer-Encoding: chunked', 'Content-Length: 6'], '0\r\n\r\nX'),
      400,
      'GATEWAY_BAD_REQUEST',
    ],
    ...[
      ['Content-Length: 2', 'Content-Length: 2'],
      ['Content-Length: 2', 'Content-Length: 3'],
      ['Content-Length: +2'],
      ['Content-Length: -2'],
      ['Content-Length: 2, 2'],
      ['Content-Length: 0x2'],
      ['Content-Length:'],
      ['Content-Length: 2 '.repeat(2)],
      ['Content-Length : 2'],
      ['Content-Length\t: 2'],
      ['Content-Length: 99999999999999999999999'],
    ].map((lines) => [lines.join(', '), chunked(lines, '{}'), 400, 'GATEWAY_BAD_REQUEST'] as const),
    ...[
      'gzip, chunked',
      'chunked, gzip',
      'identity',
      'xchunked',
      'chunked, chunked',
      '"chunked"',
      'chunked;x',
      ', chunked',
      'cow',
    ].map(
      (value) =>
        [
          `Transfer-Encoding: ${value}`,
          chunked([`Transfer-Encoding: ${value}`], '0\r\n\r\n'),
          400,
          'GATEWAY_BAD_REQUEST',
        ] as const,
    ),
    [
      'two types of body',
      `${requestOf('POST /$batch', 'Content-Type: multipart/mixed;boundary=a', 'Content-Type: multipart/mixed;boundary=b', 'Content-Length: 2')}{}`,
      400,
      'GATEWAY_BAD_REQUEST',
    ],
    ...[
      'multipart/mixed, application/json',
      'multipart/mixed;boundary=b, application/json',
      'application/json,text/plain',
      'multipart/mixed; boundary="b", multipart/mixed; boundary="c"',
      'application/json; a="b',
      'text/plain; a="\\",b',
    ].map(
      (type) =>
        [
          `types of body in one line: ${type}`,
          `${requestOf('POST /$batch', `Content-Type: ${type}`, 'Content-Length: 2')}{}`,
          400,
          type.endsWith('a="b') ? 'GATEWAY_BAD_BATCH' : 'GATEWAY_BAD_REQUEST',
        ] as const,
    ),
    ...['content-type', 'close, Content-Type', 'Content-Encoding', 'x,content-length', 'transfer-encoding'].map(
      (names) =>
        [
          `a body that Connection hides: ${names}`,
          `${requestOf('POST /accounts', 'Content-Type: application/json', `Connection: ${names}`, 'Content-Length: 2')}{}`,
          400,
          'GATEWAY_BAD_REQUEST',
        ] as const,
    ),
    ...[
      'application/json;charset=utf-7',
      'application/json; charset="ibm037"',
      'application/json; charset=utf-16',
      'application/json;charset=utf-8;charset=utf-7',
      "application/json; charset*=utf-8''utf-7",
      'multipart/mixed;boundary=b;charset=ibm037',
    ].map(
      (type) =>
        [
          `a batch in another encoding: ${type}`,
          `${requestOf('POST /$batch', `Content-Type: ${type}`, 'Content-Length: 15')}{"requests":[]}`,
          400,
          'GATEWAY_BAD_BATCH',
        ] as const,
    ),
    ...['/$%62atch', '/%24b%61tch', '/$batch()', '/$batch/x', '/foo.$batch', '/v9.2r$batch'].map(
      (target) =>
        [
          `${target}: a batch that is not looked into`,
          `${requestOf(`POST ${target}`, 'Content-Type: multipart/mixed;boundary=b', 'Content-Length: 2')}{}`,
          400,
          'GATEWAY_BAD_REQUEST',
        ] as const,
    ),
    [
      'Transfer-Encoding twice',
      chunked(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
      400,
      'GATEWAY_BAD_REQUEST',
    ],
    [
      'Transfer-Encoding on a second line',
      'POST /accounts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n',
      400,
      'GATEWAY_BAD_REQUEST',
    ],
    [
      'chunks in HTTP/1.0',
      'POST /accounts HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'GATEWAY_BAD_REQUEST',
    ],
    [
      'lines that end in LF',
      'GET /accounts HTTP/1.1\nHost: localhost\nConnection: close\n\n',
      400,
      'GATEWAY_BAD_REQUEST',
    ],
    ['a line that ends in CR', 'GET /accounts HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n', 400, 'GATEWAY_BAD_REQUEST'],
    ['a folded line', get('/accounts', 'X: a\r\n b'), 400, 'GATEWAY_BAD_REQUEST'],
    ['a name with a blank', get('/accounts', 'X Y: a'), 400, 'GATEWAY_BAD_REQUEST'],
    ['no name', get('/accounts', ': a'), 400, 'GATEWAY_BAD_REQUEST'],
    ['no colon', get('/accounts', 'abc'), 400, 'GATEWAY_BAD_REQUEST'],
    ['NUL in a value', get('/accounts', 'X: a\0b'), 400, 'GATEWAY_BAD_REQUEST'],
    ['a control character in a value', get('/accounts', 'X: a\x01b'), 400, 'GATEWAY_BAD_REQUEST'],

    // Other versions, protocols and methods.
    ['HTTP/0.9', 'GET /accounts\r\n\r\n', 400, 'GATEWAY_BAD_REQUEST'],
    ...['HTTP/0.9', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/1.10', 'http/1.1', 'HTTP/1', 'HTCPCP/1.0', 'RTSP/1.0'].map(
      (version) =>
        [version, `GET /accounts ${version}\r\nConnection: close\r\n\r\n`, 400, 'GATEWAY_BAD_REQUEST'] as const,
    ),
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'GATEWAY_BAD_REQUEST'],
    ['TLS to a port without', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'GATEWAY_BAD_REQUEST'],
    ['two blanks in the request line', 'GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n', 400, 'GATEWAY_BAD_REQUEST'],
    ...['TRACE', 'MERGE', 'PROPFIND', 'FOO', 'get', 'LOCK', 'SEARCH'].map(
      (method) => [method, requestOf(`${method} /accounts`), 405, 'GATEWAY_METHOD_NOT_ALLOWED'] as const,
    ),
    [
      'CONNECT',
      'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n',
      405,
      'GATEWAY_METHOD_NOT_ALLOWED',
    ],

    // Size limits.
    ['an address of 65,537 characters', get(`/accounts?${'x'.repeat(65_537 - 10)}`), 414, 'GATEWAY_ADDRESS_TOO_LONG'],
    [
      'an address of 32,769 characters of a write',
      requestOf(`DELETE /accounts?${'x'.repeat(32_769 - 10)}`),
      414,
      'GATEWAY_ADDRESS_TOO_LONG',
    ],
    ['a head of 70,000 bytes', get('/accounts', `X: ${'x'.repeat(70_000)}`), 431, 'GATEWAY_HEAD_TOO_LARGE'],
    [
      '101 header lines',
      get('/accounts', ...Array.from({ length: 99 }, (_, n) => `a${n}: b`)),
      431,
      'GATEWAY_HEAD_TOO_LARGE',
    ],
    [
      'a body beyond the limit',
      requestOf('POST /accounts', 'Content-Length: 2000000000'),
      413,
      'GATEWAY_BODY_TOO_LARGE',
    ],
  ]
  t.ok(table.length >= 150, `${table.length} requests`)
  for (const [attack, request, status, code] of table) {
    const answer = await rawRequest({ port }, request)
    t.equal(answer.status, status, attack)
    if (code !== undefined) t.equal(answer.code, code, attack)
    t.notMatch(
      answer.head + answer.body,
      /access-control|Bearer [A-Za-z0-9]|contoso\.crm4|    at /i,
      'nothing is disclosed',
    )
  }
  t.equal(bytes(), '', 'not one byte was sent')
})

t.test('headers that the gateway sets are never taken from the caller', async (t) => {
  const { port, requests } = await gatewayForRawDynamics(t)
  const mark = 'not-for-dynamics'

  for (const line of [
    `Authorization: Bearer ${mark}`,
    `authorization: Basic ${mark}`,
    `Cookie: a=${mark}`,
    `X-Api-Key: ${mark}`,
    `Proxy-Authorization: ${mark}`,
    `Forwarded: for=${mark}`,
    `X-Forwarded-For: ${mark}`,
    `X-Forwarded-Host: ${mark}`,
    `X-Forwarded-User: ${mark}`,
    `X-Original-URL: /${mark}`,
    `X-Rewrite-URL: /${mark}`,
    `X_Anything: ${mark}`,
    `Keep-Alive: ${mark}`,
    `TE: ${mark}`,
    `Trailer: ${mark}`,
    `Upgrade: ${mark}`,
    `HTTP2-Settings: ${mark}`,
    `Connection: x-custom\r\nX-Custom: ${mark}`,
    `Via: 1.1 ${mark}`,
    `Proxy-Connection: ${mark}`,
    `X-Real-IP: ${mark}`,
    ...IDENTITIES.map((name) => `${name}: ${mark}`),
  ]) {
    requests.length = 0
    t.equal((await rawRequest({ port }, get('/accounts', line))).status, 200, line)
    t.equal(requests.length, 1)
    t.notMatch(requests[0], mark, line)
    t.equal(requests[0]!.match(/^authorization:/gim)?.length, 1, "the gateway's token, once")
    t.match(requests[0], /\r\nhost: contoso\.crm4\.dynamics\.com\r\n/i)
  }
})

t.test('no part of a batch forwards a token or identity of the caller to Dynamics', async (t) => {
  const { port, requests } = await gatewayForRawDynamics(t)
  const mark = 'not-for-dynamics'

  const names = [...IDENTITIES, 'Authorization', 'X-Api-Key', 'Cookie', 'X-Forwarded-User', 'X-Custom']
  const asWritten = (name: string): string => name
  const lower = (name: string): string => name.toLowerCase()
  const upper = (name: string): string => name.toUpperCase()
  for (const spell of [asWritten, lower, upper]) {
    const spelt = [...new Set(names.map(spell))]
    const headers = Object.fromEntries(spelt.map((name) => [name, `${mark}-${name}`]))
    const part = { id: '1', method: 'GET', url: 'accounts', headers: { ...headers, connection: 'x-custom' } }
    const head = ['--b', 'Content-Type: application/http', 'Content-Transfer-Encoding: binary']
    const lines = spelt.map((name) => `${name}: ${mark}-${name}`)
    for (const [type, body] of [
      ['application/json', JSON.stringify({ requests: [part] })],
      [
        'multipart/mixed;boundary=b',
        [...head, '', 'GET accounts HTTP/1.1', 'Connection: x-custom', ...lines, '', '', '--b--', ''].join('\r\n'),
      ],
      [
        'multipart/mixed;boundary=b',
        [...head, ...lines, 'Connection: x-custom', '', 'GET accounts HTTP/1.1', '', '', '--b--', ''].join('\r\n'),
      ],
    ] as const) {
      requests.length = 0
      const batch = requestOf('POST /$batch', `Content-Type: ${type}`, `Content-Length: ${body.length}`) + body
      t.equal((await rawRequest({ port }, batch)).status, 200, type)
      t.equal(requests.length, 1)
      t.strictSame(requests[0]?.match(/not-for-dynamics-[\w-]+/g) ?? [], [], `${spell.name} in ${type}`)
    }
  }
})

t.test('a Connection header does not remove headers that the gateway adds', async (t) => {
  // CVE-2026-33805: nominated names were removed after the proxy had added them.
  const { port, requests } = await gatewayForRawDynamics(t)

  await rawRequest(
    { port },
    get('/accounts', 'Connection: authorization, callerobjectid, mscrmcallerid, host, x-ms-client-request-id'),
  )

  t.match(requests[0], /\r\nauthorization: Bearer \S+\r\n/i)
})

t.test('any method of the Web API passes, with any content type', async (t) => {
  const { port, requests } = await gatewayForRawDynamics(t)

  for (const method of ['POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']) {
    for (const lines of [
      [],
      ['Content-Length: 0'],
      ['Content-Type: application/json'],
      ['Content-Type: application/json', 'Content-Length: 0'],
      ['Content-Type: no type', 'Content-Length: 2'],
      ['Content-Type: text/xml; charset=utf-16', 'Content-Length: 2'],
      ['Content-Type:', 'Content-Length: 2'],
      ['Content-Length: 2'],
    ]) {
      requests.length = 0
      const body = lines.includes('Content-Length: 2') ? '{}' : ''
      t.equal(
        (await rawRequest({ port }, `${requestOf(`${method} /accounts(1)`, ...lines)}${body}`)).status,
        200,
        `${method} ${lines.join(', ')}`,
      )
      t.ok(requests[0]?.startsWith(`${method} /api/data/v9.2/accounts(1) HTTP/1.1\r\n`))
      t.ok(requests[0]?.endsWith(`\r\n\r\n${body}`))
    }
  }
  requests.length = 0
  const chunked = await rawRequest(
    { port },
    `${requestOf('POST /accounts', 'Transfer-Encoding: Chunked')}1;ext=1\r\n{\r\n1\r\n}\r\n0\r\n` +
      'CallerObjectId: x\r\n\r\n',
  )
  t.equal(chunked.status, 200)
  t.notMatch(requests[0], /callerobjectid|ext=/i, 'trailers and chunk extensions are not forwarded')
})

t.test('a request in the body of another one is not executed', async (t) => {
  const { port, requests } = await gatewayForRawDynamics(t)
  const inner = get('/contacts', 'CallerObjectId: x')

  const answer = await rawRequest(
    { port },
    `${requestOf('POST /accounts', 'Content-Type: application/octet-stream', `Content-Length: ${inner.length}`)}${inner}`,
  )

  t.equal(answer.status, 200)
  t.equal(requests.length, 1)
  t.ok(requests[0]!.endsWith(inner))
})

t.test('a batch is authorized part by part, and nothing is executed if one part is refused', async (t) => {
  const { port, requests } = await gatewayForRawDynamics(t)
  const send = async (...parts: string[]): ReturnType<typeof rawRequest> => {
    requests.length = 0
    const body = [
      ...parts.flatMap((part) => [
        '--b',
        'Content-Type: application/http',
        'Content-Transfer-Encoding: binary',
        '',
        part,
        '',
      ]),
      '--b--',
      '',
    ].join('\r\n')
    return rawRequest(
      { port },
      `${requestOf('POST /$batch', 'Content-Type: multipart/mixed;boundary=b', `Content-Length: ${body.length}`)}${body}`,
    )
  }

  t.equal((await send('GET accounts HTTP/1.1\r\n')).status, 200)
  t.equal(requests.length, 1)
  for (const [part, status] of [
    ['GET accounts HTTP/1.1\r\nCallerObjectId: x\r\n', 400],
    ['GET accounts HTTP/1.1\r\nMSCRM_CallerID: x\r\n', 400],
    ['GET accounts HTTP/1.1\r\nmscrmcallerobjectid: x\r\n', 400],
    ['POST accounts HTTP/1.1\r\nX-HTTP-Method-Override: DELETE\r\n', 400],
    ['POST accounts HTTP/1.1\r\nMSCRM.BypassCustomPluginExecution: true\r\n', 403],
    ['GET accounts HTTP/1.1\r\nPrefer: callback;url=x\r\n', 403],
    ['GET https://evil.example/accounts HTTP/1.1\r\n', 400],
    ['GET //evil.example/accounts HTTP/1.1\r\n', 400],
    ['GET ../../../XRMServices HTTP/1.1\r\n', 400],
    ['GET /api/data/v9.2/../x HTTP/1.1\r\n', 400],
    ['POST $batch HTTP/1.1\r\n', 400],
    ['GET accounts#x HTTP/1.1\r\n', 400],
    ['GET acc\\ounts HTTP/1.1\r\n', 400],
    ['GET accounts%3Cx HTTP/1.1\r\n', 400],
    ['GET accounts| HTTP/1.1\r\n', 400],
    ['POST foo.$batch HTTP/1.1\r\n', 400],
    ['GET accounts. HTTP/1.1\r\n', 400],
  ] as const) {
    t.equal((await send('GET contacts HTTP/1.1\r\n', part)).status, status, JSON.stringify(part))
    t.same(requests, [], 'no complete request arrived')
  }
})

t.test("a caller's rules apply to paths, queries and batches", async (t) => {
  const { port, bytes } = await gatewayForRawDynamics(t, (settings) => ({
    ...settings,
    anybody: { ...settings.anybody, rules: ['no-delete', 'deny * annotations'].map(parseRule) },
  }))
  const batch = (part: string): string => {
    const body = `--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n${part}\r\n\r\n--b--\r\n`
    return `${requestOf('POST /$batch', 'Content-Type: multipart/mixed;boundary=b', `Content-Length: ${body.length}`)}${body}`
  }

  for (const request of [
    requestOf('DELETE /accounts(1)'),
    get('/annotations'),
    get('/%61nnotations'),
    get('/api/data/v9.0/annotations(1)'),
    get('/accounts(1)/Account_Annotation'),
    get('/accounts?$expand=Account_Annotation'),
    get('/accounts?%24expand=Account_Annotation'),
    get('/accounts?fetchXml=%3Cfetch%3E'),
    get('/accounts?savedQuery=1'),
    get('/Image/download.aspx?Entity=annotation'),
    batch('DELETE accounts(1) HTTP/1.1'),
    batch('GET annotations HTTP/1.1'),
    batch('GET /api/data/v9.2/%61nnotations HTTP/1.1'),
    batch('GET accounts?$expand=Account_Annotation HTTP/1.1'),
    batch('GET http://localhost/annotations HTTP/1.1'),
    batch('GET https://contoso.crm4.dynamics.com/api/data/v9.2/annotations HTTP/1.1'),
  ]) {
    const answer = await rawRequest({ port }, request)
    t.match(
      answer,
      { status: 403, code: 'GATEWAY_CALLER_NOT_ALLOWED', body: /the rule \\"(no-delete|deny \* annotations)\\"/ },
      String(request.split('\r\n').find((line) => /HTTP/.test(line) && !/batch/.test(line))),
    )
  }
  t.notMatch(bytes(), /nnotation|DELETE/, 'nothing of it was sent')
  t.equal((await rawRequest({ port }, batch('GET accounts HTTP/1.1'))).status, 200)
})

t.test('pages of listed origins can read responses of Dynamics', async (t) => {
  const { port } = await gatewayForRawDynamics(t, (settings) => ({
    ...settings,
    allowedOrigins: ['https://app.contoso.com'],
  }))

  const answer = await rawRequest(
    { port },
    get('/accounts', 'Origin: https://app.contoso.com', 'Sec-Fetch-Site: cross-site'),
  )
  t.equal(answer.status, 200)
  t.match(answer.head, /access-control-allow-origin: https:\/\/app\.contoso\.com\r\n/i)
  t.match(answer.head, /vary: Origin/i)
  t.notMatch((await rawRequest({ port }, get('/accounts'))).head, /access-control/i)
  t.equal((await rawRequest({ port }, get('/accounts', 'Origin: https://evil.example'))).status, 403)
})

t.test('an unauthenticated caller learns nothing about its request', async (t) => {
  const key = 'dgk_a-key-of-this-test'
  const { port, requests, bytes } = await gatewayForRawDynamics(t, (settings) => ({
    ...settings,
    callers: readNode(schema, [{ name: 'billing', keys: [keyHash(key)], rules: ['read-only'] }], {
      nameOf: (name) => name,
      source: { env: {}, file: () => '' },
      errors: [],
    }),
  }))

  for (const lines of [
    [],
    ['X-Api-Key: wrong'],
    ['Authorization: Bearer wrong'],
    ['CallerObjectId: x'],
    ['X-User-Email: a@contoso.com'],
  ]) {
    t.match(
      await rawRequest({ port }, get('/accounts', ...lines)),
      { status: 401, code: 'GATEWAY_CALLER_UNKNOWN' },
      lines.join(),
    )
  }
  t.match(await rawRequest({ port }, requestOf('DELETE /accounts(1)', `X-Api-Key: ${key}`)), { status: 403 })
  t.equal(bytes(), '')
  t.equal((await rawRequest({ port }, get('/accounts', `Authorization: Bearer ${key}`))).status, 200)
  t.equal(requests.length, 1)
  t.notMatch(bytes(), key)
})
