import t from 'tap'

import { ownHeader, requiredHeader } from '../../src/config/header-name.ts'
import { HOP_BY_HOP } from '../../src/odata/hop-by-hop.ts'

t.test('a header with another meaning cannot carry the e-mail address', async (t) => {
  for (const name of [
    ...HOP_BY_HOP,
    'Authorization',
    'Host',
    'COOKIE',
    'content-type',
    'content-encoding',
    'accept',
    'accept-encoding',
    'if-match',
    'prefer',
    'range',
    'user-agent',
    'referer',
    'traceparent',
    'x-forwarded-for',
    'sec-fetch-site',
    'access-control-request-method',
    'mscrm.bypass'.replace('.', '-'),
    'MSCRMCallerID',
    'odata-version',
    'proxy-authorization',
    'x-request-id',
    'set-cookie',
    'idempotency-key',
    'cache-control',
    'x-ms-token-aad-access-token',
    'x-ms-client-request-id',
  ])
    t.throws(() => ownHeader(name), { message: /write/ }, name)
  for (const name of ['x user', 'x_user', 'x-user:', '', 'x-üser'])
    t.throws(() => ownHeader(name), /is not a header name/, name)
})

t.test('custom names and those of sign-in proxies are accepted, in lower case', async (t) => {
  for (const name of [
    'X-User-Email',
    'x-forwarded-email',
    'x-auth-request-email',
    'x-forwarded-user',
    'x-ms-client-principal-name',
    'from',
    'remote-user',
    'cf-access-authenticated-user-email',
    'x-goog-authenticated-user-email',
    'sector',
    'contentious',
    'iffy',
  ])
    t.equal(ownHeader(name), name.toLowerCase(), name)
})

t.test('the required header must be one that browsers do not send by themselves', async (t) => {
  for (const text of ['x-gateway', 'X-Gateway: true', 'x-requested-with: fetch']) t.equal(requiredHeader(text), text)
  for (const text of [
    'accept',
    'Cookie: a=b',
    'user-agent',
    'origin',
    'content-type: application/json',
    'sec-fetch-mode: cors',
  ]) {
    t.throws(() => requiredHeader(text), { message: /send by themselves.*write/ }, text)
  }
  for (const text of ['x gateway', '', ': x'])
    t.throws(() => requiredHeader(text), { message: /is not a header: write/ }, text)
  t.throws(() => requiredHeader('x-gateway: a\nb'), { message: /control character/ })
})
