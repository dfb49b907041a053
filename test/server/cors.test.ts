import t from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { corsOf } from '../../src/server/cors.ts'
import { callersFixture } from '../support/callers-fixture.ts'
import { rawRequest, requestOf } from '../support/raw-http.ts'

const settings = loadSettings(
  {
    DYNAMICS_URL: 'http://localhost:1',
    CREDENTIAL: 'managed-identity',
    USER_EMAIL_HEADER: 'x-user',
    ALLOWED_ORIGINS: 'https://app.contoso.com',
    REQUIRED_HEADER: 'X-Gateway: true',
  },
  undefined,
)
const cors = corsOf(settings)

t.test('pages may send every documented header, with its configured name', async (t) => {
  const allowed = cors.allowedHeaders(undefined).toLowerCase().split(', ')

  for (const name of [
    'x-user',
    'x-gateway',
    'prefer',
    'cache-control',
    'idempotency-key',
    'traceparent',
    'tracestate',
    'content-range',
    'x-ms-client-request-id',
    'if-match',
    'if-none-match',
    'if-modified-since',
    'range',
    'content-type',
    'x-api-key',
    'authorization',
    'mscrm.suppressduplicatedetection',
    'mscrm.solutionuniquename',
    'odata-version',
    'odata-maxversion',
    'x-ms-file-name',
    'x-ms-transfer-mode',
    'x-request-id',
    'consistency',
  ])
    t.ok(allowed.includes(name), name)
})

t.test("pages may send undocumented headers of the product's prefixes", async (t) => {
  const allowed = cors
    .allowedHeaders('content-type, mscrm.new,OData-New , x-ms-new,evil, x-ms-, x-ms-a b, x-ms-new')
    .split(', ')

  for (const name of ['mscrm.new', 'OData-New', 'x-ms-new']) {
    t.equal(allowed.filter((one) => one === name).length, 1, name)
  }
  for (const name of ['evil', 'x-ms-', 'x-ms-a b', 'content-type']) t.notOk(allowed.includes(name), name)
})

t.test('an origin matches in any letter case, and is returned as listed', async (t) => {
  t.match(cors.headersFor('https://APP.contoso.com'), ['vary', 'Origin', 'access-control-allow-origin', ORIGIN])
  t.same(cors.headersFor('https://evil.example'), ['vary', 'Origin'])
  t.same(cors.headersFor(undefined), ['vary', 'Origin'])
  t.equal(corsOf({ ...settings, allowedOrigins: [] }).headersFor(ORIGIN), undefined)
})

t.test('an OPTIONS request with a body is handled like every other request', async (t) => {
  const { server, passed } = await callersFixture(t, { allowedOrigins: [ORIGIN], requiredHeader: 'x-gateway' })
  const preflight = [`Origin: ${ORIGIN}`, 'Access-Control-Request-Method: PATCH']

  t.equal((await rawRequest(server, requestOf('OPTIONS /a', ...preflight, 'Content-Length: 0'))).status, 204)
  t.equal((await rawRequest(server, `${requestOf('OPTIONS /a', ...preflight, 'Content-Length: 1')}x`)).status, 403)
  t.equal((await rawRequest(server, requestOf('POST /a', ...preflight, 'Content-Length: 0'))).status, 403)
  t.same(passed, [])
})

const ORIGIN = 'https://app.contoso.com'
