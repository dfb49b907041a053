import t from 'tap'

import { BY_CODE } from '../../src/explanations/dynamics-codes.ts'
import { actOnBehalfMissing, errorIn, errorOf, explainDynamics } from '../../src/explanations/dynamics-errors.ts'
import { inOneLine } from '../../src/explanations/explanation.ts'
import { OF_REQUESTS } from '../../src/explanations/request-codes.ts'

type Cases = [error: Parameters<typeof explainDynamics>[0], what: RegExp, todo: RegExp][]

const PRIVILEGE = 'Principal user (Id=1, type=8) is missing prvReadAccount privilege (Id=2)'

t.test('every code is in lower case, and has an explanation and one fix', (t) => {
  const entries = [
    ...Object.entries(BY_CODE).flatMap(([code, meaning]) => Object.values(meaning).map((one) => [code, one] as const)),
    ...Object.entries(OF_REQUESTS),
  ]
  for (const [code, { what, why, todo }] of entries) {
    t.match(code, /^0x[0-9a-f]{8}$/, 'codes are looked up in lower case')
    t.match(what, /^[a-z].+\.$/s, `${code}: goes on after “Dynamics answered 403:”`)
    for (const text of [why, todo]) t.match(text, /^[A-Z].+\.$/s, code)
  }
  t.same(
    Object.keys(OF_REQUESTS).filter((code) => code in BY_CODE),
    [],
    'no code is in two files',
  )
  t.end()
})

t.test('a refusal by Dynamics is explained by its code and by the names in its text', (t) => {
  const cases: Cases = [
    [
      { status: 403, code: '0x80072560' },
      /403 \(0x80072560\): the app registration has no application user/,
      /New app user/,
    ],
    [{ status: 403, code: '0x80042F09' }, /no security role/, /Edit security roles/],
    [{ status: 400, code: '0x80040225' }, /the application user is disabled/, /Activate/],
    [{ status: 403, code: '0x8004D24B' }, /licence/, /Licences/],
    [{ status: 403, code: '0x8004A110' }, /may not act as other users/, /Delegate directly/],
    [
      { status: 403, code: '0x80040220', message: 'Principal user is missing prvActOnBehalfOfAnotherUser privilege.' },
      /may not act/,
      /Delegate directly/,
    ],
    [{ status: 403, code: '0x80040220', message: PRIVILEGE }, /prvReadAccount is missing/, /application user → Edit/],
    [{ status: 403, code: '0x80040220', message: 'missing prvReadUser' }, /prvReadUser/, /whole organisation/],
    [
      { status: 403, code: '0x80040220', message: PRIVILEGE, impersonated: true },
      /prvReadAccount/,
      /whichever of the two/,
    ],
    [{ status: 403, code: '0x80048306' }, /row/, /access level/],
    [
      { status: 403, code: '0x80040220', message: 'Principal with id 1 does not have ReadAccess right(s) for 2' },
      /access to this row is denied/,
      /access level/,
    ],
    [{ status: 400, code: '0x8004A104' }, /environment is disabled/, /state/],
    [
      {
        status: 403,
        code: '0x80095ffe',
        message:
          'The request you are trying to make is rejected as access to your IP is blocked. Contact your ' +
          'administrator for more information',
      },
      /403 \(0x80095ffe\): the environment's IP firewall blocks/,
      /Privacy \+ Security/,
    ],
    [
      { status: 403, message: 'Access to Dataverse API is restricted for this application Id: `1`.' },
      /does not let this app registration use its API/,
      /App access control/,
    ],
    [{ status: 401, challenge: 'Bearer authorization_uri=x' }, /access token is not accepted\./, /DYNAMICS_URL/],
    [{ status: 401, challenge: 'Bearer error="invalid_token"' }, /not accepted \(invalid_token\)/, /DYNAMICS_URL/],
    [{ status: 404 }, /no Web API/, /without a path/],
    [{ status: 429 }, /asks to wait/, /Wait/],
    [{ status: 429, code: '0x80072322' }, /too many requests were made/, /Wait/],
    [{ status: 429, code: '0x80072326' }, /at the same time/, /Wait/],
    [{ status: 503 }, /answered 503\./, /state/],
    [{ status: 418 }, /answered 418\./, /DYNAMICS_URL/],
  ]
  for (const [error, what, todo] of cases) t.match(explainDynamics(error), { what, todo })
  t.match(actOnBehalfMissing(false).what, /^The application user/)
  t.end()
})

t.test('a missing privilege is reported only if the text names one', (t) => {
  const refusals: Parameters<typeof explainDynamics>[0][] = [
    { status: 403 },
    { status: 403, code: '0x80095ffc', message: 'Something that nobody has documented.' },
    { status: 403, code: '0x80040220' },
    { status: 403, code: '0x80048d1a', message: 'A record with this value exists.' },
    { status: 403, contentType: 'text/html' },
    { status: 403, code: 'Internal_Forbidden', message: 'No.' },
  ]
  for (const refusal of refusals) {
    const { what, why, todo } = explainDynamics(refusal)
    t.notMatch(`${what} ${why} ${todo}`, /privilege|role/, what)
  }
  t.match(explainDynamics(refusals[1]!), {
    what: /answered 403 \(0x80095ffc\)\./,
    why: /no explanation of this code\.$/,
    says: '“Something that nobody has documented.”',
    todo: /web-service-error-codes/,
  })
  t.match(explainDynamics({ status: 403 }).why, /says nothing about why/)
  t.match(explainDynamics({ status: 404, code: '0x8006088f', message: 'Resource not found for the segment' }), {
    what: /404 \(0x8006088f\)\.$/,
    says: /Resource not found/,
  })
  t.match(explainDynamics({ status: 404, message: 'Resource not found for the segment' }).what, /404\.$/)
  t.end()
})

t.test('a response of another server is not attributed to Dynamics', (t) => {
  const cases: Cases = [
    [{ status: 403, contentType: 'text/html; charset=utf-8' }, /answered 403 in place of Dynamics, with/, /proxy/],
    [{ status: 502, contentType: 'text/html' }, /answered 502 in place of Dynamics/, /proxy/],
    [{ status: 200, contentType: 'application/xhtml+xml' }, /answered 200 in place of Dynamics/, /DYNAMICS_URL/],
    [{ status: 200, contentType: 'text/plain' }, /answered 200 in place of Dynamics\./, /DYNAMICS_URL/],
    [{ status: 302, location: 'https://login.test/x' }, /a redirect to login\.test/, /proxy/],
    [{ status: 302 }, /a redirect\./, /proxy/],
    [{ status: 401, challenge: 'Basic realm="filter"' }, /asks for Basic authentication/, /proxy/],
    [{ status: 401, challenge: 'Negotiate' }, /asks for Negotiate authentication/, /proxy/],
  ]
  for (const [error, what, todo] of cases) t.match(explainDynamics(error), { what, todo })
  t.match(explainDynamics({ status: 403, contentType: 'text/html', code: '0x80072560' }).what, /^Dynamics answered/)
  t.end()
})

t.test('for a signed-in person, no application user is blamed', (t) => {
  for (const error of [
    { status: 403, code: '0x80072560' },
    { status: 403, code: '0x80042f09' },
    { status: 400, code: '0x80040225' },
    { status: 403, code: '0x8004a110' },
    { status: 403, code: '0x80048306' },
    { status: 429, code: '0x80072322' },
    { status: 403, code: '0x80040220', message: PRIVILEGE },
    { status: 403, code: '0x80040220', message: 'missing prvActOnBehalfOfAnotherUser' },
  ]) {
    const { what, why, todo } = explainDynamics({ ...error, delegated: true })
    t.notMatch(`${what} ${why} ${todo}`, /application user|Application users/, error.code)
    t.match(`${what} ${why} ${todo}`, /person/, error.code)
  }
  t.match(explainDynamics({ status: 403, code: '0x8004a110', delegated: true, impersonated: true }), {
    what: /person who signed in may not act/,
    todo: /IMPERSONATION=off/,
  })
  t.match(actOnBehalfMissing(true).what, /^The person/)
  t.end()
})

t.test('with impersonation, the refusal may concern either of two users', (t) => {
  for (const code of ['0x80072560', '0x80042f09', '0x80040225']) {
    t.match(
      explainDynamics({ status: 403, code, impersonated: true }).why,
      /^It is either the user that the gateway acts/,
    )
  }
  t.end()
})

t.test('the text of Dynamics is quoted on one line, with limited length', (t) => {
  const says = (message: string) => explainDynamics({ status: 403, code: '0x80095ffc', message }).says
  t.equal(says('a\r\n\u001b[2Jb'), '“a [2Jb”')
  t.equal(says('ab '.repeat(9999))?.length, 303)
  t.equal(says(' '), undefined)
  t.equal(says(`the token Bearer eyJhbGciOi.x.y and ${'z'.repeat(500)} are bad`), '“the token Bearer … and … are bad”')
  t.notMatch(inOneLine(explainDynamics({ status: 403, code: '0x80095ffc', message: 'secret' })), /secret/)
  t.end()
})

t.test('an error is parsed from a body of any type', (t) => {
  t.same(errorIn({ error: { code: '0x80040220', message: 'no' } }), { code: '0x80040220', message: 'no' })
  t.same(errorIn({ error: { code: 'BadRequest_NotFound', message: 'no' } }).code, 'BadRequest_NotFound')
  for (const body of [
    undefined,
    null,
    1,
    {},
    { error: null },
    { error: { code: 5, message: {} } },
    { error: { code: 'x' } },
  ]) {
    t.same(errorIn(body), {})
  }
  const head = new Map([
    ['content-type', 'text/html'],
    ['location', '/x'],
    ['www-authenticate', 'Bearer'],
  ])
  t.same(
    errorOf(401, (name) => head.get(name), { error: { code: '0x80040220' } }),
    {
      status: 401,
      contentType: 'text/html',
      location: '/x',
      challenge: 'Bearer',
      code: '0x80040220',
    },
  )
  t.end()
})
