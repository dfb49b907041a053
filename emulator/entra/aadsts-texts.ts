import { clientId } from '../registration.ts'

/** The texts of an error of Entra. `description` comes without its AADSTS number. */
export interface ErrorText {
  readonly status: number
  readonly error: string
  readonly description: string
  readonly suberror?: string
}

/** Values that appear in error texts. */
export interface ErrorDetails {
  readonly client?: string
  readonly tenant?: string
  readonly resource?: string
  readonly scope?: string
  readonly parameter?: string
  readonly thumbprint?: string
  /** A claims challenge, as JSON. */
  readonly claims?: string
}

/** The texts of Entra for an AADSTS number; a generic text when the number is unknown. */
export function errorText(number: number, details: ErrorDetails): ErrorText {
  const [status, error, text, suberror] = texts[number] ?? [400, 'invalid_request', 'The request failed.']
  const names: Readonly<Record<string, string>> = {
    client: clientId,
    tenant: 'Contoso',
    resource: 'https://contoso.crm4.dynamics.com',
    scope: '',
    parameter: 'scope',
    thumbprint: '0123456789ABCDEF0123456789ABCDEF01234567',
    ...details,
  }
  const description = text.replace(/\{(\w+)\}/g, (_, name: string) => String(names[name]))
  return { status, error, description, ...(suberror === undefined ? {} : { suberror }) }
}

// One table, looked up by number. `{client}` and the like are replaced by values of the request.
const texts: Readonly<Record<number, readonly [status: number, error: string, text: string, suberror?: string]>> = {
  16000: [400, 'interaction_required', 'Several user identities are available; the user must choose one.'],
  28002: [
    400,
    'invalid_request',
    'Provided value for the input parameter scope is not valid because it contains more than one resource. ' +
      'Scope can only be for one resource.',
  ],
  50001: [400, 'invalid_resource', 'The resource principal named {resource} was not found or is disabled.'],
  50011: [
    400,
    'invalid_request',
    'The redirect URI specified in the request does not match the redirect URIs configured for the application.',
  ],
  50012: [401, 'invalid_client', 'Authentication failed.'],
  50013: [400, 'invalid_grant', 'Assertion failed signature validation.'],
  50027: [400, 'invalid_request', 'JWT token is invalid or malformed.'],
  50033: [503, 'temporarily_unavailable', 'A transient error has occurred. Please try again.'],
  50034: [400, 'invalid_grant', 'The user account does not exist in the directory.'],
  50055: [400, 'invalid_grant', 'The password is expired.'],
  50056: [400, 'invalid_grant', 'Invalid or null password.'],
  50057: [400, 'invalid_grant', 'The user account is disabled.'],
  50059: [
    400,
    'invalid_request',
    'No tenant-identifying information found in either the request or implied by any provided credentials.',
  ],
  50076: [
    400,
    'interaction_required',
    'Due to a configuration change made by your administrator, or because you moved to a new location, you ' +
      'must use multi-factor authentication to access the resource.',
  ],
  50079: [400, 'interaction_required', 'The user is required to enroll for multi-factor authentication.'],
  50105: [
    400,
    'invalid_grant',
    'Your administrator has configured the application to block users unless they are specifically granted ' +
      "access. The principal is not assigned to a role for the application '{client}'.",
  ],
  50126: [400, 'invalid_grant', 'Error validating credentials due to invalid username or password.'],
  50128: [400, 'invalid_request', 'Invalid domain name: no tenant-identifying information found.'],
  50158: [400, 'interaction_required', 'External security challenge was not satisfied.'],
  50194: [
    400,
    'unauthorized_client',
    "Application '{client}' is not configured as a multi-tenant application. Usage of the /common " +
      'endpoint is not supported. Use a tenant-specific endpoint.',
  ],
  50196: [
    400,
    'invalid_request',
    'The server terminated an operation because it encountered a loop while processing a request.',
  ],
  53003: [
    400,
    'invalid_grant',
    'Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.',
  ],
  65001: [
    400,
    'invalid_grant',
    "The user or administrator has not consented to use the application with ID '{client}'. Send an " +
      'interactive authorization request for this user and resource.',
    'consent_required',
  ],
  65004: [400, 'access_denied', 'User declined to consent to access the app.'],
  70000: [400, 'invalid_grant', 'The provided grant is invalid or malformed.'],
  70001: [400, 'unauthorized_client', "Application with identifier '{client}' is disabled or was not found."],
  70003: [400, 'unsupported_grant_type', 'The app requested an unsupported grant type.'],
  70008: [
    400,
    'invalid_grant',
    'The provided authorization code or refresh token has expired due to inactivity. Send a new ' +
      'interactive authorization request for this user and resource.',
  ],
  70011: [
    400,
    'invalid_scope',
    "The provided request must include a 'scope' input parameter. The provided value for the input " +
      "parameter 'scope' is not valid. The scope {scope} is not valid.",
  ],
  70016: [400, 'authorization_pending', 'OAuth 2.0 device flow error. Authorization is pending. Continue polling.'],
  70018: [400, 'bad_verification_code', 'Invalid verification code.'],
  70020: [
    400,
    'expired_token',
    "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
  ],
  70021: [400, 'invalid_request', 'No matching federated identity record found for presented assertion.'],
  90002: [
    400,
    'invalid_request',
    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into " +
      'the correct cloud. Check with your subscription administrator, this may happen if there are no active ' +
      'subscriptions for the tenant.',
  ],
  90006: [503, 'temporarily_unavailable', 'A transient error has occurred. Please try again.'],
  90019: [
    400,
    'invalid_request',
    'No tenant-identifying information found in either the request or implied by any provided credentials.',
  ],
  90024: [503, 'temporarily_unavailable', 'A transient error has occurred. Please try again.'],
  90033: [503, 'temporarily_unavailable', 'A transient error has occurred. Please try again.'],
  90038: [400, 'invalid_request', 'The tenant belongs to a national cloud. Use the authority of that cloud.'],
  90055: [429, 'temporarily_unavailable', 'The tenant request is throttled.'],
  90094: [400, 'invalid_grant', 'Administrator consent is required.'],
  500011: [
    400,
    'invalid_resource',
    'The resource principal named {resource} was not found in the tenant named {tenant}. This can happen ' +
      'if the application has not been installed by the administrator of the tenant or consented to by any ' +
      'user in the tenant. You might have sent your authentication request to the wrong tenant.',
  ],
  501051: [400, 'invalid_grant', "Application '{client}' is not assigned to a role for the application '{resource}'."],
  50173: [
    400,
    'invalid_grant',
    'The provided grant has expired due to it being revoked; a fresh auth token is needed.',
  ],
  7000114: [400, 'invalid_request', 'Application is not allowed to make application on-behalf-of calls.'],
  500131: [
    400,
    'invalid_grant',
    'Assertion audience does not match the Client app presenting the assertion. The audience in the assertion ' +
      "was not '{client}'.",
  ],
  500133: [400, 'invalid_grant', 'Assertion is not within its valid time range.'],
  530032: [400, 'invalid_grant', 'Blocked by the security policy of the tenant.'],
  530034: [400, 'invalid_grant', 'Blocked by the security policy of the tenant.'],
  530035: [400, 'invalid_grant', 'Access has been blocked by security defaults.'],
  650052: [
    400,
    'invalid_client',
    'The app needs access to a service that your organization has not subscribed to or enabled.',
  ],
  650056: [400, 'invalid_client', 'Misconfigured application.'],
  650057: [
    400,
    'invalid_resource',
    'Invalid resource. The client has requested access to a resource which is not listed in the requested ' +
      "permissions in the client's application registration. Client app ID: {client}. Resource value from " +
      'request: {resource}.',
  ],
  700011: [400, 'unauthorized_client', 'Application with identifier {client} was not found in the directory.'],
  700016: [
    400,
    'unauthorized_client',
    "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen " +
      'if the application has not been installed by the administrator of the tenant or consented to by any ' +
      'user in the tenant. You may have sent your authentication request to the wrong tenant.',
  ],
  700021: [401, 'invalid_client', "Client assertion application identifier doesn't match 'client_id' parameter."],
  700022: [
    400,
    'invalid_request',
    'The provided value for the input parameter scope is not valid because it contains more than one resource.',
  ],
  700023: [401, 'invalid_client', 'Client assertion audience claim does not match Realm issuer.'],
  700024: [401, 'invalid_client', 'Client assertion is not within its valid time range.'],
  700025: [
    401,
    'invalid_client',
    "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
  ],
  700027: [
    401,
    'invalid_client',
    'Client assertion contains an invalid signature. [Reason - The key was not found., Thumbprint of key ' +
      "used by client: '{thumbprint}']",
  ],
  700030: [401, 'invalid_client', 'Invalid certificate - subject name in certificate is not authorized.'],
  700082: [400, 'invalid_grant', 'The refresh token has expired due to inactivity.'],
  700213: [401, 'invalid_client', 'No matching federated identity record found for presented assertion subject.'],
  700229: [
    400,
    'invalid_request',
    'Only app-only tokens may be used as federated identity credentials for this issuer.',
  ],
  900021: [400, 'invalid_request', "Requested tenant identifier '{tenant}' is not valid."],
  900023: [
    400,
    'invalid_request',
    "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
  ],
  900144: [400, 'invalid_request', "The request body must contain the following parameter: '{parameter}'."],
  900382: [400, 'invalid_request', 'Confidential Client is not supported in Cross Cloud request.'],
  900432: [400, 'invalid_request', 'Confidential Client is not supported in Cross Cloud request.'],
  901002: [400, 'invalid_request', "The 'resource' request parameter is not supported."],
  1002012: [
    400,
    'invalid_scope',
    'The provided value for scope {scope} is not valid. Client credential flows must have a scope value ' +
      'with /.default suffixed to the resource identifier (application ID URI).',
  ],
  7000112: [401, 'unauthorized_client', "Application '{client}'(Dynamics gateway) is disabled."],
  7000215: [
    401,
    'invalid_client',
    'Invalid client secret provided. Ensure the secret being sent in the request is the client secret ' +
      "value, not the client secret ID, for a secret added to app '{client}'.",
  ],
  7000218: [
    401,
    'invalid_client',
    "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
  ],
  7000222: [
    401,
    'invalid_client',
    "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create " +
      'new keys for your app, or consider using certificate credentials for added security.',
  ],
  9001023: [
    400,
    'invalid_request',
    'The grant type is not supported over the /common or /consumers endpoints. Please use the ' +
      '/organizations or tenant-specific endpoint.',
  ],
}
