import t from 'tap'

import { AADSTS } from '../../src/credentials/aadsts.ts'
import { actOnBehalfMissing, errorIn, explainDynamics } from '../../src/credentials/dynamics-errors.ts'
import { explainAnswer, explainConnection } from '../../src/credentials/explain.ts'

t.test('every number has what happened, why, and one thing to do that names a place', t => {
  for (const [number, { what, why, todo }] of Object.entries(AADSTS)) {
    for (const text of [what, why, todo]) t.match(text, /^[A-Z].+\.$/s, number)
    t.match(todo, /admin centre|AZURE_|DYNAMICS_|`dynamics-gateway|clock|Nothing:|gateway restarts/, number)
  }
  t.end()
})

t.test('the numbers that set-up fails with most are all there', t => {
  const wanted = [
    7000215, 7000222, 700016, 700011, 70001, 7000112, 90002, 900021, 900023, 90019, 50059, 50128, 50194, 9001023,
    500011, 50001, 70011, 1002012, 28002, 700022,
    901002, 900144, 7000218, 700025, 700027, 700023, 700021, 700024, 700030, 50012, 50027, 50013, 700213, 70021, 65001,
    650057, 650052, 650056, 53003, 530032,
    530034, 530035, 50034, 50076, 50079, 50158, 50055, 50056, 50057, 50126, 50105, 501051, 700229, 50196, 90055, 90006,
    90024, 90033, 50033, 90038, 900382, 900432,
  ]
  for (const number of wanted) t.ok(AADSTS[number], String(number))
  t.end()
})

t.test('answers without Microsoft\'s number are explained, too', t => {
  const cases: [facts: Parameters<typeof explainAnswer>[0], what: RegExp, todo: RegExp][] = [
    [
      { status: 401, error: 'invalid_client', host: 'idp.test' },
      /idp\.test answered 401 \(invalid_client\)/,
      /AZURE_CLIENT_ID/,
    ],
    [{ status: 400, error: 'invalid_scope' }, /scope/, /DYNAMICS_SCOPE/],
    [{ status: 400, error: 'invalid_grant' }, /no longer valid/, /login/],
    [{ status: 400, error: 'consent_required' }, /consent/, /API permissions/],
    [{ status: 400, error: 'made_up' }, /made_up/, /app registration/],
    [{ status: 302 }, /redirect/, /HTTPS_PROXY/],
    [{ status: 404, asked: 'metadata' }, /metadata/, /AZURE_AUTHORITY_HOST/],
    [{ status: 502 }, /502/, /Nothing, if it passes/],
    [{ status: 503, error: 'server_error' }, /503 \(server_error\)\./, /Nothing, if it passes/],
    [{ status: 429 }, /asked too often/, /Nothing/],
    [{ status: 400, aadsts: 123456 }, /AADSTS123456\)/, /error\?code=123456/],
    [{ status: 400, error: 'x_y', aadsts: 123456 }, /AADSTS123456, x_y\)/, /error\?code=123456/],
  ]
  for (const [facts, what, todo] of cases) t.match(explainAnswer(facts), { what, todo })
  t.end()
})

t.test('why no answer came is told apart', t => {
  const cases: [code: string | undefined, todo: RegExp][] = [
    ['ENOTFOUND', /spelling/], ['EAI_AGAIN', /DNS/], ['ECONNREFUSED', /firewalls/], ['NOT_HTTPS', /TLS only/],
    ['ANSWER_TOO_LARGE', /AZURE_AUTHORITY_HOST/],
    ['CERT_HAS_EXPIRED', /renews/], ['CERT_NOT_YET_VALID', /clock/],
    ['SELF_SIGNED_CERT_IN_CHAIN', /NODE_EXTRA_CA_CERTS/], ['ERR_TLS_CERT_ALTNAME_INVALID', /spelling/],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', /TLS 1\.2/], ['ERR_SSL_WRONG_VERSION_NUMBER', /port/],
    ['PROXY_407', /name:password/], ['PROXY_ECONNREFUSED', /NO_PROXY/], ['UND_ERR_CONNECT_TIMEOUT', /port 443/],
    [undefined, /port 443/],
  ]
  for (const [code, todo] of cases) {
    t.match(explainConnection(code === undefined ? {} : { code, host: 'x' }), { todo }, String(code))
  }
  t.end()
})

t.test('what Dynamics refuses is explained by its code', t => {
  const cases: [error: Parameters<typeof explainDynamics>[0], what: RegExp, todo: RegExp][] = [
    [
      { status: 403, code: '0x80072560' },
      /403 \(0x80072560\): the app registration has no application user/,
      /New app user/,
    ],
    [{ status: 403, code: '0x80042F09' }, /no security role/, /Edit security roles/],
    [{ status: 400, code: '0x80040225' }, /disabled/, /Activate/],
    [{ status: 403, code: '0x8004D24B' }, /licence/, /Licences/],
    [{ status: 403, code: '0x8004A110' }, /may not act as other users/, /Delegate directly/],
    [
      { status: 403, code: '0x80040220', message: 'Principal user is missing prvActOnBehalfOfAnotherUser privilege.' },
      /may not act/,
      /Delegate directly/,
    ],
    [
      {
        status: 403,
        code: '0x80040220',
        message: 'Principal user (Id=1, type=8) is missing prvReadAccount privilege (Id=2)',
      },
      /prvReadAccount is missing/,
      /application user → Edit/,
    ],
    [{ status: 403, code: '0x80040220', message: 'missing prvReadUser' }, /prvReadUser/, /whole organisation/],
    [
      { status: 403, code: '0x80040220', message: 'missing prvReadAccount', impersonated: true },
      /prvReadAccount/,
      /whichever of the two/,
    ],
    [{ status: 403, code: '0x80048306' }, /row/, /access level/],
    [{ status: 400, code: '0x8004A104' }, /environment is disabled/, /state/],
    [
      { status: 403, message: 'The request … is rejected as access to your IP is blocked.' },
      /IP firewall/,
      /Privacy \+ Security/,
    ],
    [{ status: 401 }, /access token/, /DYNAMICS_URL/],
    [{ status: 403 }, /a privilege is missing/, /Edit security roles/],
    [{ status: 404 }, /no Web API/, /without a path/],
    [{ status: 429 }, /service protection/, /Wait/],
    [{ status: 503 }, /answered 503\./, /state/],
    [{ status: 418 }, /answered 418\./, /DYNAMICS_URL/],
  ]
  for (const [error, what, todo] of cases) t.match(explainDynamics(error), { what, todo })
  t.match(actOnBehalfMissing.what, /^The application user/)
  t.end()
})

t.test('an error is found in a body, whatever the body is', t => {
  t.same(errorIn({ error: { code: '0x80040220', message: 'no' } }), { code: '0x80040220', message: 'no' })
  for (const body of [
    undefined, null, 1, {}, { error: null }, { error: { code: 5, message: {} } }, { error: { code: 'x' } },
  ]) {
    t.same(errorIn(body), {})
  }
  t.end()
})
