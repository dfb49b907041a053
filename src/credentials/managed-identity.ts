import type { Dispatcher } from 'undici'

import { authorityRequest } from './authority-request.ts'
import { responseFailure, textOf, tokenIn } from './authority-response.ts'
import type { AuthorityResponse } from './authority-response.ts'
import { scopeOf } from './credential-facts.ts'
import type { CredentialKind } from './credential-kind.ts'
import type { FetchedToken, FetchToken } from './credential.ts'
import { AuthorityFailure } from './failure.ts'
import { ARC, arcChallengeResponse } from './managed-identity/arc.ts'
import type { ArcPaths } from './managed-identity/arc.ts'
import { endpointOf } from './managed-identity/endpoint.ts'
import { explainRefusal, NO_IDENTITY, noResponse } from './managed-identity/explain-failure.ts'

/** The managed identity that Azure assigns to the machine, app or container. */
export const managedIdentityKind: CredentialKind<'managed-identity'> = {
  connect: ({ clientId }, { target, agent, env }) => ({
    fetch: managedIdentity({ clientId, scope: scopeOf(target), dispatcher: agent, env, arc: ARC }),
  }),
  consent: 'No consent is needed: a managed identity has its rights from the application user alone.',
}

/** How the identity is asked for. */
export interface ManagedIdentity {
  /** The client id of a user-assigned identity; `undefined`: the system-assigned one. */
  readonly clientId: string | undefined
  readonly scope: string
  readonly dispatcher: Dispatcher
  /** Variables with the endpoint of the platform. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly arc: ArcPaths
}

/**
 * Fetches tokens from the local endpoint of the platform, which needs no secret. Without MSAL, whose managed identity
 * is shared by the entire process, with its own cache and retries.
 *
 * @see https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
 */
export function managedIdentity(identity: ManagedIdentity): FetchToken {
  return async ({ signal }) => {
    const endpoint = endpointOf(identity.env, identity.arc)
    const url = new URL(endpoint.url)
    url.searchParams.set('api-version', endpoint.version)
    url.searchParams.set('resource', identity.scope.replace(/\/\.default$/, ''))
    if (identity.clientId !== undefined) url.searchParams.set('client_id', identity.clientId)

    const ask = async (headers: Record<string, string>): Promise<AuthorityResponse> => {
      return authorityRequest(
        { method: 'GET', url, headers },
        {
          dispatcher: identity.dispatcher,
          signal,
          plainHttp: 'allowed',
        },
      )
    }
    try {
      const response = await ask(endpoint.headers)
      const again =
        endpoint.platform === 'Azure Arc' && response.status === 401
          ? arcChallengeResponse(response.headers['www-authenticate'], identity.arc.keys)
          : undefined
      return tokenOf(
        again === undefined ? response : await ask({ ...endpoint.headers, authorization: again }),
        identity.clientId,
      )
    } catch (error) {
      throw noResponse(error, endpoint)
    }
  }
}

function tokenOf(response: AuthorityResponse, clientId: string | undefined): FetchedToken {
  const { body = {} } = response
  const failure = responseFailure(response)
  const said = textOf(response.body)
  if (failure !== undefined) {
    // While an identity is being assigned, the endpoint responds with 404 or 410.
    const passing = response.status === 404 || response.status === 410
    // App Service sends no OAuth error code.
    const turnedDown =
      (response.status === 400 || response.status === 403) && failure.facts.aadsts === undefined && said !== ''
    const refused = failure.refused || turnedDown
    throw new AuthorityFailure(explainRefusal(failure, said), refused && !passing, failure.facts)
  }
  const { client_id: givenTo } = body
  if (clientId !== undefined && typeof givenTo === 'string' && givenTo.toLowerCase() !== clientId.toLowerCase()) {
    throw new AuthorityFailure(
      {
        ...NO_IDENTITY,
        what: 'The endpoint issued a token of another managed identity than that of AZURE_CLIENT_ID.',
      },
      true,
    )
  }
  return tokenIn({ ...response, body: { ...body, expires_in: body['expires_in'] ?? secondsUntil(body['expires_on']) } })
}

/** App Service sends the expiry in seconds since 1970 instead of a lifetime. */
function secondsUntil(moment: unknown): number | undefined {
  const seconds = Number(moment)
  return moment === undefined || !Number.isFinite(seconds) ? undefined : Math.floor(seconds - Date.now() / 1000)
}
