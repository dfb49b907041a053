import { clientId, tenantDomains, tenantId } from '../registration.ts'
import { EntraError } from './aadsts.ts'
import type { Directory, EntraRequest } from './directory.ts'

/** The form in the body of a request. */
export function formOf({ method, headers, body }: EntraRequest): URLSearchParams {
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(headers.get('content-type') ?? '')
  if (method !== 'POST' || !isForm) throw new EntraError(900144, { parameter: 'grant_type' })
  return new URLSearchParams(body.toString('utf8'))
}

/** The value of a required parameter. */
export function requiredParameter(form: URLSearchParams, parameter: string): string {
  const value = form.get(parameter)
  if (value === null || value === '') throw new EntraError(900144, { parameter })
  return value
}

/** Throws unless a tenant is the emulated one, by id or domain, or a generic name such as `common`. */
export function checkTenant(tenant: string): void {
  if (tenant.toLowerCase() === tenantId || tenantDomains.includes(tenant.toLowerCase())) return
  if (tenant === 'common' || tenant === 'organizations') return
  if (/^[0-9a-f-]{36}$/i.test(tenant) || /^[\w-]+(\.[\w-]+)+$/.test(tenant)) throw new EntraError(90002, { tenant })
  throw new EntraError(900023, { tenant })
}

/** Throws unless a request has the client id of the app registration. */
export function checkClient(asked: URLSearchParams, tenant: string): void {
  const client = requiredParameter(asked, 'client_id')
  if (client !== clientId) throw new EntraError(700016, { client, tenant })
}

/** Whether a redirect URI is registered. */
export function isRegistered({ redirectUris }: Directory, uri: string): boolean {
  return /^http:\/\/(localhost|127\.0\.0\.1)(:\d+)?(\/|$)/.test(uri) || redirectUris.has(uri)
}
