import t from 'tap'

import { headerNames } from '../../src/door/header-names.ts'
import { readHead } from '../../src/door/read-head.ts'
import { callersFixture } from '../support/callers-fixture.ts'
import { get, rawRequest, requestOf } from '../support/raw-http.ts'

t.test('header lines with the same name are joined, so that none hides another', (t) => {
  t.equal(readHead(['Host', 'a', 'HOST', 'b']).host, 'a, b')
  t.equal(readHead(['Authorization', 'Bearer a', 'authorization', 'Bearer b']).authorization, 'Bearer a, Bearer b')
  t.end()
})

t.test('caller ids are detected in any spelling', (t) => {
  for (const name of [
    'CallerObjectId',
    'callerobjectid',
    'CALLEROBJECTID',
    'Caller-Object-Id',
    'Caller_Object_Id',
    'MSCRMCallerID',
    'MSCRM_CallerID',
    'MSCRM-Caller-Id',
    'mscrm.callerid',
    'MSCRM~CallerID',
    'Caller+Object+Id',
    'mscrm!callerid',
    'MSCRMCallerObjectID',
  ])
    t.equal(readHead([name, 'x']).callerId, name)
  for (const name of ['Accept', 'MSCRM.MergeLabels', 'x-caller', 'Caller']) {
    t.equal(readHead([name, 'x']).callerId, undefined, name)
  }
  t.end()
})

t.test('a header with the letters of an e-mail header is detected in any spelling', (t) => {
  const nameOf = headerNames(['x-user-email', 'x-useremail', 'x-upn'])
  const variant = (name: string): string | undefined => readHead([name, 'x'], undefined, nameOf).userVariant
  for (const name of [
    'x_user_email',
    'X.User.Email',
    'XUserEmail',
    'x--user-email',
    'x-user-email-',
    'x~user~email',
    'X+User+Email',
    "x'user'email",
    'xupn',
  ]) {
    t.equal(variant(name), name)
    t.equal(variant(name), name, 'the second time, too')
  }
  for (const name of ['X-User-Email', 'x-useremail', 'X-UPN', 'x-user', 'http-x-user-email']) {
    t.equal(variant(name), undefined, name)
  }
  t.equal(readHead(['x_user_email', 'x']).userVariant, undefined, 'where there is no such header')
  t.end()
})

t.test('headers that bypass business logic or override the method are detected in any spelling', (t) => {
  for (const name of [
    'MSCRM.BypassCustomPluginExecution',
    'mscrm.bypassbusinesslogicexecution',
    'MSCRM.BypassBusinessLogicExecutionStepIds',
    'MSCRM_BypassCustomPluginExecution',
    'MSCRM.SuppressCallbackRegistrationExpanderJob',
  ])
    t.equal(readHead([name, 'x']).bypass, name)
  t.equal(readHead(['MSCRM.SuppressDuplicateDetection', 'false']).bypass, undefined)
  for (const name of ['X-HTTP-Method', 'x-http-method-override', 'X-Method-Override', 'X_HTTP_Method_Override']) {
    t.equal(readHead([name, 'x']).override, name)
  }
  t.equal(readHead(['Access-Control-Request-Method', 'PUT']).override, undefined)
  t.end()
})

t.test('a callback is found at any position in Prefer', (t) => {
  for (const value of [
    'callback',
    'respond-async, callback; url="https://evil.example"',
    'respond-async,callback;url=x',
    'odata.callback;url="x"',
    'a="b",Callback',
    'odata.include-annotations="a\\",callback;url=x',
  ])
    t.ok(readHead(['Prefer', 'return=minimal', 'prefer', value]).preferences.callback, value)
  for (const value of [
    'respond-async',
    'odata.include-annotations="*"',
    'return=representation, odata.maxpagesize=5',
    'odata.include-annotations="new.callbackurl"',
  ]) {
    t.notOk(readHead(['Prefer', value]).preferences.callback, value)
  }
  t.end()
})

t.test('a request that cannot be passed on safely gets 400, and is not sent', async (t) => {
  const { server, passed } = await callersFixture(t)

  for (const [attack, bytes] of Object.entries({
    'dot segments': get('/accounts/../../../XRMServices'),
    'encoded dot segments': get('/accounts/%2e%2e/x'),
    'another host': get('//evil.example/accounts'),
    'absolute form': get('http://evil.example/accounts'),
    'absolute form of our own': get('http://localhost/accounts'),
    'asterisk form': requestOf('OPTIONS *'),
    'a fragment': get('/accounts#x'),
    'GET with a body': `${get('/accounts', 'Content-Length: 2')}{}`,
    'GET with a chunked body': `${get('/accounts', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    'HEAD with a body': `${requestOf('HEAD /accounts', 'Content-Length: 2')}{}`,
    'an encoding we do not undo': `${requestOf('POST /accounts', 'Transfer-Encoding: gzip, chunked')}0\r\n\r\n`,
    'chunks in HTTP/1.0': 'POST /accounts HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/2.0 in words': 'GET /accounts HTTP/2.0\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    'an e-mail header with underscores': get('/accounts', 'X_User_Email: ada@contoso.com'),
  })) {
    const { status } = await rawRequest(server, bytes)
    t.equal(status, 400, attack)
  }
  t.same(passed, [])
})

t.test('a GET may have Content-Length: 0', async (t) => {
  const { server } = await callersFixture(t)
  t.equal((await rawRequest(server, get('/accounts', 'Content-Length: 0'))).status, 200)
})

t.test('a URL of 32,768 characters passes, for a read one of 65,536; a longer one gets 414', async (t) => {
  const { server } = await callersFixture(t)
  for (const [method, limit] of [
    ['GET', 65_536],
    ['HEAD', 65_536],
    ['POST', 32_768],
  ] as const) {
    const target = `/a?${'x'.repeat(limit - 3)}`
    t.equal((await rawRequest(server, requestOf(`${method} ${target}`))).status, 200, method)
    t.equal((await rawRequest(server, requestOf(`${method} ${target}x`))).status, 414, method)
  }
  t.match(await rawRequest(server, get(`/a?${'x'.repeat(65_536)}`)), { code: 'GATEWAY_ADDRESS_TOO_LONG' })
})

t.test('a comma between quotes is part of a boundary', async (t) => {
  const { server } = await callersFixture(t)
  const type = 'Content-Type: multipart/mixed; boundary="a, \\", b"'
  t.equal((await rawRequest(server, requestOf('POST /accounts', type))).status, 200)
  t.equal((await rawRequest(server, requestOf('POST /accounts', `${type}, text/plain`))).status, 400)
})

t.test('a hundred header lines pass, one more gets 431', async (t) => {
  const { server } = await callersFixture(t)
  const lines = Array.from({ length: 99 }, (_, index) => `a${index}: b`)
  t.equal((await rawRequest(server, get('/accounts', ...lines.slice(1)))).status, 200)
  t.match(await rawRequest(server, get('/accounts', ...lines)), { status: 431, code: 'GATEWAY_HEAD_TOO_LARGE' })
})

t.test('other protocols are refused, and the connection is closed after the response', async (t) => {
  const { server } = await callersFixture(t)
  const answer = await rawRequest(
    server,
    'GET /accounts HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  )
  t.equal(answer.status, 200)
  t.match(answer.head, /connection: close/i)
})

t.test('bytes after a body of ambiguous length or an Upgrade are never taken for a request', async (t) => {
  for (const line of [
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: identity, chunked',
    'Upgrade: websocket',
  ]) {
    const { server, passed } = await callersFixture(t)
    const first = `POST /accounts HTTP/1.1\r\nHost: localhost\r\n${line}\r\n\r\n${line.startsWith('T') ? '0\r\n\r\n' : ''}`
    const answer = await rawRequest(server, `${first}GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    t.match(answer.head, /connection: close/i, line)
    t.notOk(JSON.stringify(passed).includes('smuggled'), line)
  }
})
