import { headerLetters } from '../odata/header-letters.ts'

/**
 * Whether a header carries a token, a key or the identity of the caller: the gateway's own headers, and those that
 * gateways, sign-in proxies and platforms in front of it set. Dynamics does not use them, and its logs must
 * not contain them.
 *
 * @param name in any letter case; characters between its letters do not count
 * @see https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
 * @see https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview
 */
export function carriesIdentity(name: string): boolean {
  const letters = headerLetters(name)
  return NAMES.has(letters) || IDENTITY_HEADERS.test(letters)
}

const NAMES: ReadonlySet<string> = new Set([
  'apikey',
  'xapikey',
  'xfunctionskey',
  'ocpapimsubscriptionkey',
  'xzumoauth',
  'dpop',
  'from',
  'xsessiontoken',
  'xlogin',
  'xwebauthuser',
  'remotename',
  'remoteemail',
  'remotegroups',
  'bearer',
  'xbearer',
  'xprincipal',
  'xidentity',
  'xgatewaykey',
])

/** Parts, suffixes and prefixes of such names. Dynamics itself has session tokens. */
const IDENTITY_HEADERS = new RegExp(
  `authorization|cookie|jwt|assertion|clientcert|sslcert|(?<!session)token$|secret$|^(?:${[
    'xmstoken',
    'xmsclientprincipal', // Azure App Service, Container Apps
    'xauth', // oauth2-proxy, Kong, authentik and others
    'xconsumer',
    'xcredential', // Kong
    'x?(?:remote)?user(?:name|id|email|info|groups|roles)?$',
    'xe?mail$',
    'xe?mailaddress$',
    'xamznoidc',
    'xamznmtls', // AWS load balancers
    'xgoogiap',
    'xgoogauthenticateduser', // Google's Identity-Aware Proxy
    'cfaccess', // Cloudflare Access
    'xpomerium',
    'xvouch',
    'x?tailscale',
    'sslclient',
    'xsslclient', // nginx
  ].join('|')})`,
)
