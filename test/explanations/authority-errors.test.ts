import t from 'tap'

import { APPLICATIONS } from '../../src/explanations/aadsts-applications.ts'
import { CREDENTIALS } from '../../src/explanations/aadsts-credentials.ts'
import { PEOPLE } from '../../src/explanations/aadsts-people.ts'
import { TRANSIENT } from '../../src/explanations/aadsts-transient.ts'
import { AADSTS } from '../../src/explanations/aadsts.ts'
import { explainAuthorityResponse } from '../../src/explanations/authority-errors.ts'
import { explainConnection } from '../../src/explanations/connection-errors.ts'

t.test('every AADSTS number has an explanation and one fix that names a place', (t) => {
  for (const [number, { what, why, todo }] of Object.entries(AADSTS)) {
    for (const text of [what, why, todo]) t.match(text, /^[A-Z].+\.$/s, number)
    t.match(todo, /admin centre|AZURE_|DYNAMICS_|`dynamics-gateway|clock|Nothing:|gateway restarts/, number)
  }
  t.end()
})

t.test('no number is explained in two files', (t) => {
  const numbers = [APPLICATIONS, CREDENTIALS, PEOPLE, TRANSIENT].flatMap((part) => Object.keys(part))
  t.same([...numbers].sort(), Object.keys(AADSTS).sort())
  t.end()
})

t.test('the most frequent AADSTS numbers of set-up are explained', (t) => {
  const wanted = [
    7000215, 7000222, 700016, 700011, 70001, 7000112, 90002, 900021, 900023, 90019, 50059, 50128, 50194, 9001023,
    500011, 50001, 70011, 1002012, 28002, 700022, 901002, 900144, 7000218, 700025, 700027, 700023, 700021, 700024,
    700030, 50012, 50027, 50013, 700213, 70021, 65001, 650057, 650052, 650056, 53003, 530032, 530034, 530035, 50034,
    50076, 50079, 50158, 50055, 50056, 50057, 50126, 50105, 501051, 700229, 50196, 90055, 90006, 90024, 90033, 50033,
    90038, 900382, 900432, 7000229, 500113, 50020, 50072, 50074, 50053, 500341, 53000, 90094, 7000110, 5002730, 7000216,
    90072, 90095, 90099, 500014, 500021, 53001, 53002, 53004, 50144, 70043, 54005, 500133,
  ]
  for (const number of wanted) t.ok(AADSTS[number], String(number))
  t.end()
})

t.test('responses without an AADSTS number are also explained', (t) => {
  const cases: [facts: Parameters<typeof explainAuthorityResponse>[0], what: RegExp, todo: RegExp][] = [
    [
      { status: 401, error: 'invalid_client', host: 'idp.test' },
      /idp\.test answered 401 \(invalid_client\)/,
      /AZURE_CLIENT_ID/,
    ],
    [{ status: 400, error: 'invalid_scope' }, /scope/, /DYNAMICS_SCOPE/],
    [{ status: 400, error: 'invalid_grant' }, /is not valid/, /login/],
    [{ status: 400, error: 'consent_required' }, /consent/, /API permissions/],
    [{ status: 400, error: 'unauthorized_client' }, /may not ask/, /AZURE_CLIENT_ID/],
    [{ status: 400, error: 'interaction_required' }, /a person has to sign in/, /login/],
    [{ status: 400, error: 'made_up' }, /made_up/, /app registration/],
    [{ status: 403, contentType: 'text/html', host: 'idp.test' }, /403 with a page \(text\/html/, /let them pass idp/],
    [{ status: 429, contentType: 'text/html' }, /429 with a page/, /HTTPS_PROXY/],
    [{ status: 302 }, /redirect/, /HTTPS_PROXY/],
    [{ status: 404, asked: 'metadata' }, /metadata/, /AZURE_AUTHORITY_HOST/],
    [{ status: 502 }, /502/, /Nothing, if it passes/],
    [{ status: 503, error: 'server_error' }, /503 \(server_error\)\./, /Nothing, if it passes/],
    [{ status: 429 }, /asked too often/, /Nothing/],
    [{ status: 400, aadsts: 123456 }, /AADSTS123456\)/, /error\?code=123456/],
    [{ status: 400, error: 'x_y', aadsts: 123456 }, /AADSTS123456, x_y\)/, /error\?code=123456/],
  ]
  for (const [facts, what, todo] of cases) t.match(explainAuthorityResponse(facts), { what, todo })
  t.end()
})

t.test('distinguishes why there was no response', (t) => {
  const cases: [code: string | undefined, todo: RegExp][] = [
    ['ENOTFOUND', /spelling/],
    ['EAI_AGAIN', /DNS/],
    ['ECONNREFUSED', /firewalls/],
    ['NOT_HTTPS', /TLS only/],
    ['ANSWER_TOO_LARGE', /AZURE_AUTHORITY_HOST/],
    ['CERT_HAS_EXPIRED', /must renew/],
    ['CERT_NOT_YET_VALID', /clock/],
    ['SELF_SIGNED_CERT_IN_CHAIN', /NODE_EXTRA_CA_CERTS/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /spelling/],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', /TLS 1\.2/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /port/],
    ['PROXY_407', /name:password/],
    ['PROXY_ECONNREFUSED', /NO_PROXY/],
    ['UND_ERR_CONNECT_TIMEOUT', /port 443/],
    ['TIMEOUT', /Let this machine reach it/],
    ['EHOSTUNREACH', /Let this machine reach it/],
    ['ECONNRESET', /firewalls/],
    [undefined, /See whether/],
    ['EMADEUP', /See whether/],
  ]
  for (const [code, todo] of cases) {
    t.match(explainConnection(code === undefined ? {} : { code, host: 'x' }), { todo }, String(code))
  }
  t.end()
})

t.test('unknown errors are not explained', (t) => {
  for (const explanation of [
    explainAuthorityResponse({ status: 400, error: 'made_up' }),
    explainAuthorityResponse({ status: 400, aadsts: 123456 }),
    explainAuthorityResponse({ status: 502 }),
    explainConnection({ code: 'EMADEUP' }),
  ]) {
    t.match(explanation.why, /no explanation of this|does not say why/)
  }
  t.end()
})
