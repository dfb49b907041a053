import type { Reply } from '../http/operation.ts'
import { tenantId } from '../registration.ts'
import { EntraError } from './aadsts.ts'
import type { Directory, EntraRequest } from './directory.ts'
import { checkClient, checkTenant, formOf, isRegistered, requiredParameter } from './form.ts'
import { entraJson } from './json.ts'

/** `POST /{tenant}/oauth2/v2.0/devicecode`. */
export function deviceCode(entra: Directory, request: EntraRequest, tenant: string): Reply {
  const form = formOf(request)
  checkTenant(tenant)
  checkClient(form, tenant)
  const { deviceCode: code, userCode } = entra.grants.device(requiredParameter(form, 'scope'))
  const verification = 'https://microsoft.com/devicelogin'
  return entraJson(200, {
    user_code: userCode,
    device_code: code,
    verification_uri: verification,
    expires_in: entra.signIn.deviceLifetime,
    interval: entra.signIn.interval,
    message:
      `To sign in, use a web browser to open the page ${verification} and enter the code ${userCode} ` +
      'to authenticate.',
  })
}

/** `GET /{tenant}/oauth2/v2.0/authorize`: the person signs in at once, as `signIn` says. */
export function authorize(entra: Directory, { query }: EntraRequest, tenant: string): Reply {
  const asked = new URLSearchParams(query)
  checkTenant(tenant)
  checkClient(asked, tenant)
  const redirectUri = requiredParameter(asked, 'redirect_uri')
  if (!isRegistered(entra, redirectUri)) throw new EntraError(50011)
  if (requiredParameter(asked, 'response_type') !== 'code') throw new EntraError(70003)
  const method = asked.get('code_challenge_method')
  if (asked.has('code_challenge') && method !== 'S256') throw new EntraError(70000)
  const answer = new URLSearchParams()
  if (entra.signIn.answer === 'waiting') {
    return { status: 200, headers: [['Content-Type', 'text/html']], body: '<form>Sign in</form>' }
  }
  if (entra.signIn.answer === 'declined') {
    answer.set('error', 'access_denied')
    answer.set('error_description', 'AADSTS65004: User declined to consent to access the app.')
  } else {
    const grant = {
      person: entra.signedIn(),
      scope: requiredParameter(asked, 'scope'),
      nonce: asked.get('nonce') ?? undefined,
    }
    answer.set('code', entra.grants.code(grant, redirectUri, asked.get('code_challenge') ?? undefined))
  }
  const state = asked.get('state')
  if (state !== null) answer.set('state', state)
  return asked.get('response_mode') === 'form_post' ? posting(redirectUri, answer) : redirecting(redirectUri, answer)
}

/** `GET /{tenant}/adminconsent` and its newer form below `/v2.0`. */
export function adminConsent(entra: Directory, { query }: EntraRequest, tenant: string, endpoint: string): Reply {
  const asked = new URLSearchParams(query)
  if (tenant === 'common') throw new EntraError(50059)
  checkTenant(tenant)
  checkClient(asked, tenant)
  const redirectUri = requiredParameter(asked, 'redirect_uri')
  if (!isRegistered(entra, redirectUri)) throw new EntraError(50011)
  const answer = new URLSearchParams()
  const newer = endpoint.startsWith('v2.0/')
  if (entra.signIn.answer !== 'granted') {
    if (newer) answer.set('admin_consent', 'True')
    answer.set('error', newer ? 'consent_required' : 'permission_denied')
    const description = newer ? 'AADSTS65004: The resource owner declined.' : 'The admin canceled the request'
    answer.set('error_description', description)
  } else {
    answer.set('admin_consent', 'True')
    answer.set('tenant', tenantId)
    if (newer) answer.set('scope', requiredParameter(asked, 'scope'))
  }
  const state = asked.get('state')
  if (state !== null) answer.set('state', state)
  return redirecting(redirectUri, answer)
}

function redirecting(uri: string, answer: URLSearchParams): Reply {
  return { status: 302, headers: [['Location', `${uri}${uri.includes('?') ? '&' : '?'}${answer.toString()}`]] }
}

function posting(uri: string, answer: URLSearchParams): Reply {
  const fields = [...answer].map(([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}"/>`)
  return {
    status: 200,
    headers: [['Content-Type', 'text/html; charset=utf-8']],
    body:
      `<html><body><form method="POST" name="hiddenform" action="${escaped(uri)}">${fields.join('')}</form>` +
      '<script>document.forms[0].submit()</script></body></html>',
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
