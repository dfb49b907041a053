/**
 * Whether a header carries a token, a key or the identity of the caller, or says where it is: by those of the gateway,
 * and by those that gateways, sign-in proxies and platforms in front of it set. Dynamics has no use for them, and who
 * reads its logs must not find them there.
 *
 * @param name in any letter case; what stands between its letters does not count
 * @see https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
 * @see https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview
 */
export function carriesIdentity(name: string): boolean {
  const letters = name.toLowerCase().replace(/[^a-z\d]/g, '')
  return NAMES.has(letters) || FAMILY.test(letters)
}

const NAMES: ReadonlySet<string> = new Set([
  'apikey',
  'xapikey',
  'xfunctionskey',
  'ocpapimsubscriptionkey',
  'xzumoauth',
  'dpop',
  'xamzsecuritytoken',
  'xaccesstoken',
  'xauthtoken',
  'xidtoken',
  'xrefreshtoken',
  'xsessiontoken',
  'xuseremail',
  'xuserinfo',
  'xremoteuser',
  'xwebauthuser',
  'remoteuser',
  'remotename',
  'remoteemail',
  'remotegroups',
  'clientcert',
  'clientcertchain',
  'xclientcert',
  'xarrclientcert',
  'xrealip',
  'xclientip',
  'trueclientip',
  'cfconnectingip',
  'cfconnectingipv6',
  'fastlyclientip',
  'xclusterclientip',
  'xazureclientip',
  'xazuresocketip',
])

/** How names begin, but for `authorization`, which stands in them anywhere. */
const FAMILY = new RegExp(
  `authorization|cookie|^(?:${[
    'xforwarded', // also X-Forwarded-Access-Token and the client certificate of Envoy
    'xmstoken',
    'xmsclientprincipal', // Azure App Service, Container Apps
    'xauthrequest', // oauth2-proxy
    'xamznoidc',
    'xamznmtls', // AWS load balancers
    'xgoogiap',
    'xgoogauthenticateduser', // Google's Identity-Aware Proxy
    'cfaccess', // Cloudflare Access
    'xauthentik',
    'xpomerium',
    'xvouch',
    'xjwt',
    'tailscaleuser',
    'sslclient',
    'xsslclient', // nginx
  ].join('|')})`,
)
