import { isMicrosoftsAuthority } from '../config/authority-hosts.ts'
import type { AppRegistration } from './app-registration.ts'
import { authorityRequest } from './authority-request.ts'
import type { ExchangeOptions } from './authority-request.ts'
import { responseFailure } from './authority-response.ts'
import { AuthorityFailure } from './failure.ts'

/** The endpoints of an authority. */
export interface Endpoints {
  readonly authorization: string
  readonly token: string
  readonly device: string
}

/** Whether an authority is Microsoft's own, with known endpoints. */
export function isMicrosofts(authorityHost: string): boolean {
  return isMicrosoftsAuthority(new URL(authorityHost).hostname)
}

/**
 * The endpoints of the authority of `app`: Microsoft's are known, others publish them in their metadata.
 *
 * @throws AuthorityFailure
 */
export async function endpointsOf(
  { authorityHost, tenantId }: Pick<AppRegistration, 'authorityHost' | 'tenantId'>,
  options: ExchangeOptions,
): Promise<Endpoints> {
  const authority = `${authorityHost}/${tenantId}`
  if (isMicrosofts(authorityHost)) {
    const base = `${authority}/oauth2/v2.0`
    return { authorization: `${base}/authorize`, token: `${base}/token`, device: `${base}/devicecode` }
  }
  const response = await authorityRequest(
    { method: 'GET', url: new URL(`${authority}/v2.0/.well-known/openid-configuration`) },
    options,
  )
  const failure = responseFailure(response)
  if (failure !== undefined) throw failure
  const {
    authorization_endpoint: authorization,
    token_endpoint: token,
    device_authorization_endpoint: device,
  } = response.body!
  if (!isHttps(authorization) || !isHttps(token)) {
    throw new AuthorityFailure(
      {
        what: `The metadata of ${new URL(authorityHost).host} has no usable endpoints.`,
        why: 'They are missing, or not https:// addresses.',
        todo: 'Check AZURE_AUTHORITY_HOST and AZURE_TENANT_ID.',
      },
      false,
    )
  }
  return { authorization, token, device: isHttps(device) ? device : token.replace(/\/token$/, '/devicecode') }
}

function isHttps(address: unknown): address is string {
  return typeof address === 'string' && URL.canParse(address) && new URL(address).protocol === 'https:'
}
