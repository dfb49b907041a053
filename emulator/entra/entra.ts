import type { Reply } from '../http/operation.ts'
import { entraErrorReply, EntraError } from './aadsts.ts'
import type { Directory, EntraRequest } from './directory.ts'
import { instanceDiscovery, openIdConfiguration } from './discovery.ts'
import { entraJson } from './json.ts'
import { adminConsent, authorize, deviceCode } from './sign-in-endpoints.ts'
import { token } from './token-endpoint.ts'

/** Handles one request to Entra. */
export function handleEntraRequest(entra: Directory, request: EntraRequest): Reply {
  const [, tenant = '', endpoint = ''] = /^\/([^/]+)\/(.*)$/.exec(request.path) ?? []
  try {
    switch (endpoint) {
      case 'oauth2/v2.0/token':
        return token(entra, request, tenant)
      case 'oauth2/v2.0/devicecode':
        return deviceCode(entra, request, tenant)
      case 'oauth2/v2.0/authorize':
        return authorize(entra, request, tenant)
      case 'adminconsent':
      case 'v2.0/adminconsent':
        return adminConsent(entra, request, tenant, endpoint)
      case 'v2.0/.well-known/openid-configuration':
        return openIdConfiguration(request, tenant)
      case 'discovery/instance':
        return instanceDiscovery(request)
      case 'discovery/v2.0/keys':
        return entraJson(200, { keys: [entra.userTokens.jwk] })
      default:
        return { status: 404, headers: [['Content-Type', 'text/html']], body: '<html><body>404</body></html>' }
    }
  } catch (cause) {
    // AADSTS90033 is Entra's number for a transient error.
    return cause instanceof EntraError ? entraErrorReply(cause.number, cause.details) : entraErrorReply(90033)
  }
}
