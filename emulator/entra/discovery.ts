import type { Reply } from '../http/operation.ts'
import { tenantId } from '../registration.ts'
import type { EntraRequest } from './directory.ts'
import { checkTenant } from './form.ts'
import { entraJson } from './json.ts'

/** `GET /{tenant}/v2.0/.well-known/openid-configuration`. */
export function openIdConfiguration({ origin }: EntraRequest, tenant: string): Reply {
  checkTenant(tenant)
  const base = `${origin}/${tenant}`
  const id = tenant === 'common' || tenant === 'organizations' ? '{tenantid}' : tenantId
  return entraJson(200, {
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

/** `GET /common/discovery/instance`. */
export function instanceDiscovery({ origin, query }: EntraRequest): Reply {
  const endpoint = new URLSearchParams(query).get('authorization_endpoint') ?? ''
  const [, tenant = 'common'] = /^https?:\/\/[^/]+\/([^/]+)\//.exec(endpoint) ?? []
  const hosts = [
    'login.microsoftonline.com',
    'login.windows.net',
    'login.microsoft.com',
    'sts.windows.net',
    new URL(origin).host,
  ]
  return entraJson(200, {
    tenant_discovery_endpoint: `${origin}/${tenant}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: new URL(origin).host, preferred_cache: hosts[1], aliases: hosts }],
  })
}
