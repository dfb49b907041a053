import { randomBytes } from 'node:crypto'
import { EntraError, entraAnswer } from './aadsts.ts'
import { type AccessTokens, type Person, signed, type TokenSettings } from './access-tokens.ts'
import type { AssertionKeys } from './assertions.ts'
import type { Header, Reply } from './operation.ts'
import { clientId, tenantDomains, tenantId } from './registration.ts'
import type { Grant, Grants, SignIn } from './sign-in.ts'

/** The emulated Microsoft Entra: what it knows and how it behaves. */
export interface Entra {
  readonly accessTokens: AccessTokens
  readonly tokens: TokenSettings
  readonly keys: AssertionKeys
  readonly grants: Grants
  readonly signIn: SignIn
  readonly signedIn: () => Person
  /** Secrets that are accepted. */
  readonly secrets: Set<string>
  /** Resources for which there are tokens, without a trailing slash. */
  readonly resources: readonly string[]
  /** Redirect URIs registered beside `http://localhost` with any port. */
  readonly redirectUris: Set<string>
}

/** A request to Entra. */
export interface EntraRequest {
  readonly method: string
  readonly origin: string
  readonly path: string
  readonly query: string
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** Answers one request to Entra. */
export function answerEntra(entra: Entra, request: EntraRequest): Reply {
  const [, tenant = '', endpoint = ''] = /^\/([^/]+)\/(.*)$/.exec(request.path) ?? []
  try {
    switch (endpoint) {
      case 'oauth2/v2.0/token': return token(entra, request, tenant)
      case 'oauth2/v2.0/devicecode': return deviceCode(entra, request, tenant)
      case 'oauth2/v2.0/authorize': return authorize(entra, request, tenant)
      case 'adminconsent': case 'v2.0/adminconsent': return adminConsent(entra, request, tenant, endpoint)
      case 'v2.0/.well-known/openid-configuration': return openIdConfiguration(request, tenant)
      case 'discovery/instance': return instanceDiscovery(request)
      case 'discovery/v2.0/keys': return json(200, { keys: [] })
      default: return { status: 404, headers: [['Content-Type', 'text/html']], body: '<html><body>404</body></html>' }
    }
  } catch (cause) {
    if (!(cause instanceof EntraError)) throw cause
    const { status, body } = entraAnswer(cause.number, cause.circumstances)
    return { status, headers: jsonHeaders, body }
  }
}

const jsonHeaders: readonly Header[] = [
  ['Cache-Control', 'no-store, no-cache'], ['Pragma', 'no-cache'], ['Content-Type', 'application/json; charset=utf-8'],
]

function token(entra: Entra, request: EntraRequest, tenant: string): Reply {
  const form = formOf(request)
  checkTenant(tenant)
  const grantType = need(form, 'grant_type')
  const basic = basicOf(request.headers)
  const client = basic?.client ?? need(form, 'client_id')
  if (client !== clientId) throw new EntraError(700016, { client, tenant })
  if (form.has('resource')) throw new EntraError(901002)
  const secret = basic?.secret ?? form.get('client_secret') ?? undefined
  checkCredential(entra, request, form, secret, grantType === 'client_credentials')

  switch (grantType) {
    case 'client_credentials': {
      if (tenant === 'common' || tenant === 'organizations') throw new EntraError(50059)
      return appToken(entra, need(form, 'scope'))
    }
    case 'authorization_code': {
      const grant = entra.grants.redeemCode(need(form, 'code'), need(form, 'redirect_uri'), form.get('code_verifier') ?? undefined)
      return userTokens(entra, grant, form)
    }
    case 'urn:ietf:params:oauth:grant-type:device_code': case 'device_code': {
      return userTokens(entra, entra.grants.redeemDevice(form.get('device_code') ?? need(form, 'code')), form)
    }
    case 'refresh_token': return userTokens(entra, entra.grants.redeemRefreshToken(need(form, 'refresh_token')), form)
    default: throw new EntraError(70003)
  }
}

function appToken(entra: Entra, scope: string): Reply {
  const scopes = scope.split(' ').filter((each) => each !== '')
  if (scopes.length > 1) throw new EntraError(28002, { scope })
  if (scopes[0] === undefined) throw new EntraError(70011, { scope })
  if (!scopes[0].endsWith('/.default')) throw new EntraError(1002012, { scope })
  // What stands before the last `/.default` is the audience, a trailing slash included.
  const audience = scopes[0].slice(0, -'/.default'.length)
  checkResource(entra, audience)
  return json(200, { ...lifetimes(entra), access_token: entra.accessTokens.issue(audience, undefined) })
}

function userTokens(entra: Entra, grant: Grant, form: URLSearchParams): Reply {
  const scope = form.get('scope') ?? grant.scope
  const scopes = scope.split(' ').filter((each) => each !== '')
  const resource = scopes.find((each) => each.includes('://'))
  const audience = resource?.replace(/\/(\.default|user_impersonation)$/, '') ?? entra.resources[0] ?? ''
  checkResource(entra, audience)
  const { person } = grant
  const openId = scopes.includes('openid')
  return json(200, {
    ...lifetimes(entra),
    scope: [`${audience}/user_impersonation`, `${audience}/.default`].join(' '),
    access_token: entra.accessTokens.issue(audience, person),
    ...(scopes.includes('offline_access') ? { refresh_token: entra.grants.refreshToken({ ...grant, scope }) } : {}),
    ...(openId ? { id_token: idToken(person, grant.nonce) } : {}),
    ...(form.get('client_info') === '1'
      ? { client_info: Buffer.from(JSON.stringify({ uid: person.objectId, utid: tenantId })).toString('base64url') }
      : {}),
  })
}

function lifetimes({ tokens }: Entra): Readonly<Record<string, unknown>> {
  return {
    token_type: 'Bearer', expires_in: tokens.lifetime, ext_expires_in: tokens.lifetime,
    ...(tokens.refreshIn === undefined ? {} : { refresh_in: tokens.refreshIn }),
  }
}

function idToken(person: Person, nonce: string | undefined): string {
  const now = Math.floor(Date.now() / 1000)
  return signed({
    aud: clientId, iss: `https://login.microsoftonline.com/${tenantId}/v2.0`, iat: now, nbf: now, exp: now + 3600,
    name: person.name, oid: person.objectId, preferred_username: person.userName, sub: person.objectId, tid: tenantId,
    ver: '2.0', ...(nonce === undefined ? {} : { nonce }),
  }, randomBytes(32))
}

function deviceCode(entra: Entra, request: EntraRequest, tenant: string): Reply {
  const form = formOf(request)
  checkTenant(tenant)
  checkClient(form, tenant)
  const { deviceCode: code, userCode } = entra.grants.device(need(form, 'scope'))
  const verification = 'https://microsoft.com/devicelogin'
  return json(200, {
    user_code: userCode, device_code: code, verification_uri: verification,
    expires_in: entra.signIn.deviceLifetime, interval: entra.signIn.interval,
    message: `To sign in, use a web browser to open the page ${verification} and enter the code ${userCode} to authenticate.`,
  })
}

function authorize(entra: Entra, { query }: EntraRequest, tenant: string): Reply {
  const asked = new URLSearchParams(query)
  checkTenant(tenant)
  checkClient(asked, tenant)
  const redirectUri = need(asked, 'redirect_uri')
  if (!isRegistered(entra, redirectUri)) throw new EntraError(50011)
  if (need(asked, 'response_type') !== 'code') throw new EntraError(70003)
  const method = asked.get('code_challenge_method')
  if (asked.has('code_challenge') && method !== 'S256') throw new EntraError(70000)
  const answer = new URLSearchParams()
  if (entra.signIn.answer === 'waiting') return { status: 200, headers: [['Content-Type', 'text/html']], body: '<form>Sign in</form>' }
  if (entra.signIn.answer === 'declined') {
    answer.set('error', 'access_denied')
    answer.set('error_description', 'AADSTS65004: User declined to consent to access the app.')
  } else {
    const grant = { person: entra.signedIn(), scope: need(asked, 'scope'), nonce: asked.get('nonce') ?? undefined }
    answer.set('code', entra.grants.code(grant, redirectUri, asked.get('code_challenge') ?? undefined))
  }
  const state = asked.get('state')
  if (state !== null) answer.set('state', state)
  return asked.get('response_mode') === 'form_post' ? posting(redirectUri, answer) : redirecting(redirectUri, answer)
}

function adminConsent(entra: Entra, { query }: EntraRequest, tenant: string, endpoint: string): Reply {
  const asked = new URLSearchParams(query)
  if (tenant === 'common') throw new EntraError(50059)
  checkTenant(tenant)
  checkClient(asked, tenant)
  const redirectUri = need(asked, 'redirect_uri')
  if (!isRegistered(entra, redirectUri)) throw new EntraError(50011)
  const answer = new URLSearchParams()
  const newer = endpoint.startsWith('v2.0/')
  if (entra.signIn.answer !== 'granted') {
    if (newer) answer.set('admin_consent', 'True')
    answer.set('error', newer ? 'consent_required' : 'permission_denied')
    answer.set('error_description', newer ? 'AADSTS65004: The resource owner declined.' : 'The admin canceled the request')
  } else {
    answer.set('admin_consent', 'True')
    answer.set('tenant', tenantId)
    if (newer) answer.set('scope', need(asked, 'scope'))
  }
  const state = asked.get('state')
  if (state !== null) answer.set('state', state)
  return redirecting(redirectUri, answer)
}

function openIdConfiguration({ origin }: EntraRequest, tenant: string): Reply {
  checkTenant(tenant)
  const [base, id] = [`${origin}/${tenant}`, tenant === 'common' || tenant === 'organizations' ? '{tenantid}' : tenantId]
  return json(200, {
    token_endpoint: `${base}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: `${base}/discovery/v2.0/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: `${origin}/${id}/v2.0`,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    device_authorization_endpoint: `${base}/oauth2/v2.0/devicecode`,
    end_session_endpoint: `${base}/oauth2/v2.0/logout`,
    tenant_region_scope: 'EU',
    cloud_instance_name: 'microsoftonline.com',
  })
}

function instanceDiscovery({ origin, query }: EntraRequest): Reply {
  const endpoint = new URLSearchParams(query).get('authorization_endpoint') ?? ''
  const [, tenant = 'common'] = /^https?:\/\/[^/]+\/([^/]+)\//.exec(endpoint) ?? []
  const hosts = ['login.microsoftonline.com', 'login.windows.net', 'login.microsoft.com', 'sts.windows.net', new URL(origin).host]
  return json(200, {
    tenant_discovery_endpoint: `${origin}/${tenant}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: new URL(origin).host, preferred_cache: hosts[1], aliases: hosts }],
  })
}

function checkTenant(tenant: string): void {
  if (tenant.toLowerCase() === tenantId || tenantDomains.includes(tenant.toLowerCase())) return
  if (tenant === 'common' || tenant === 'organizations') return
  if (/^[0-9a-f-]{36}$/i.test(tenant) || /^[\w-]+(\.[\w-]+)+$/.test(tenant)) throw new EntraError(90002, { tenant })
  throw new EntraError(900023, { tenant })
}

function checkClient(asked: URLSearchParams, tenant: string): void {
  const client = need(asked, 'client_id')
  if (client !== clientId) throw new EntraError(700016, { client, tenant })
}

function checkCredential(
  entra: Entra, { origin, path }: EntraRequest, form: URLSearchParams, secret: string | undefined, required: boolean,
): void {
  const assertion = form.get('client_assertion')
  if (assertion !== null) {
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    if (form.get('client_assertion_type') !== type) throw new EntraError(900144, { parameter: 'client_assertion_type' })
    const authority = `https://login.microsoftonline.com/${tenantId}/v2.0`
    entra.keys.check(assertion, [`${origin}${path}`, authority])
  } else if (secret !== undefined) {
    if (!entra.secrets.has(secret)) throw new EntraError(7000215)
  } else if (required) throw new EntraError(7000218)
}

function checkResource({ resources }: Entra, audience: string): void {
  if (!resources.includes(audience.replace(/\/$/, ''))) throw new EntraError(500011, { resource: audience })
}

function isRegistered({ redirectUris }: Entra, uri: string): boolean {
  return /^http:\/\/(localhost|127\.0\.0\.1)(:\d+)?(\/|$)/.test(uri) || redirectUris.has(uri)
}

function formOf({ method, headers, body }: EntraRequest): URLSearchParams {
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(headers.get('content-type') ?? '')
  if (method !== 'POST' || !isForm) throw new EntraError(900144, { parameter: 'grant_type' })
  return new URLSearchParams(body.toString('utf8'))
}

function basicOf(headers: ReadonlyMap<string, string>): { readonly client: string, readonly secret: string } | undefined {
  const encoded = /^Basic (\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  if (encoded === undefined) return undefined
  const [client = '', secret = ''] = Buffer.from(encoded, 'base64').toString().split(':').map(decodeURIComponent)
  return { client, secret }
}

function need(form: URLSearchParams, parameter: string): string {
  const value = form.get(parameter)
  if (value === null || value === '') throw new EntraError(900144, { parameter })
  return value
}

function redirecting(uri: string, answer: URLSearchParams): Reply {
  return { status: 302, headers: [['Location', `${uri}${uri.includes('?') ? '&' : '?'}${answer.toString()}`]] }
}

function posting(uri: string, answer: URLSearchParams): Reply {
  const fields = [...answer].map(([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}"/>`)
  return {
    status: 200,
    headers: [['Content-Type', 'text/html; charset=utf-8']],
    body: `<html><body><form method="POST" name="hiddenform" action="${escaped(uri)}">${fields.join('')}</form>`
      + '<script>document.forms[0].submit()</script></body></html>',
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}

function json(status: number, body: Readonly<Record<string, unknown>>): Reply {
  return { status, headers: jsonHeaders, body: JSON.stringify(body) }
}
