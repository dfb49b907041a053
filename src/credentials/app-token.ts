import type { NodeAuthOptions } from '@azure/msal-node'

import type { AppRegistration } from './app-registration.ts'
import { tokenIn } from './authority-response.ts'
import type { FetchedToken, TokenRequest } from './credential.ts'
import { isMicrosofts } from './endpoints.ts'
import { AuthorityFailure, ClaimsDemanded, isClaims } from './failure.ts'
import { network } from './network.ts'
import type { Network } from './network.ts'

/** What the app proves its identity with: exactly one of the two. */
export type Proof = Pick<NodeAuthOptions, 'clientSecret'> | Pick<NodeAuthOptions, 'clientAssertion'>

/**
 * Fetches a token with MSAL: for the app itself (client credentials grant), or for a person with a user token
 * (on-behalf-of grant). MSAL only fetches. Each fetch uses a new instance,
 * because an instance blocks itself for 60 s after a failure. Its cache is unused: it ends tokens 5 min early.
 *
 * @throws AuthorityFailure
 */
export async function fetchAppToken(
  app: AppRegistration,
  proof: Proof,
  { claims, onBehalfOf, signal }: TokenRequest,
): Promise<FetchedToken> {
  const { ConfidentialClientApplication } = await import('@azure/msal-node')
  const way = network({ dispatcher: app.dispatcher, signal })
  return callMsal(way, async () => {
    const client = new ConfidentialClientApplication({
      auth: { ...authorityOf(app), ...proof, ...(onBehalfOf === undefined ? {} : CLAIMS_CHALLENGES) },
      system: { networkClient: way.module },
    })
    if (onBehalfOf !== undefined) {
      const { assertion, scope } = onBehalfOf
      return client.acquireTokenOnBehalfOf({ oboAssertion: assertion, scopes: [scope], skipCache: true })
    }
    return client.acquireTokenByClientCredential({
      scopes: [app.scope],
      skipCache: true,
      azureRegion: 'DisableMsalForceRegion',
      ...(claims === undefined ? {} : { claims }),
    })
  })
}

/**
 * Tells Entra that claims challenges of Dynamics reach the app that can meet them. Entra then issues tokens that live
 * about a day, and Dynamics refuses them as soon as something changes for the person (continuous access evaluation).
 *
 * @see https://learn.microsoft.com/entra/identity-platform/claims-challenge
 */
const CLAIMS_CHALLENGES = { clientCapabilities: ['cp1'] }

/** The client id and authority for MSAL. Hosts that it does not know need their port. */
export function authorityOf({ authorityHost, tenantId, clientId }: AppRegistration): NodeAuthOptions {
  return {
    clientId,
    authority: `${authorityHost}/${tenantId}`,
    ...(isMicrosofts(authorityHost) ? {} : { knownAuthorities: [new URL(authorityHost).host] }),
  }
}

/** Runs `call` of MSAL and takes the result from `network`: MSAL loses causes and accepts empty responses. */
export async function callMsal(way: Network, call: () => Promise<unknown>): Promise<FetchedToken> {
  try {
    await call()
  } catch (error) {
    throw withClaims(way.failure() ?? msalFailure(error), way)
  }
  const failure = way.failure()
  if (failure !== undefined) throw withClaims(failure, way)
  return tokenIn(way.response())
}

/** `failure` with the claims that Entra asks of the person. */
function withClaims(failure: AuthorityFailure, way: Network): AuthorityFailure {
  const claims = way.response()?.body?.['claims']
  return isClaims(claims) ? new ClaimsDemanded(failure, claims) : failure
}

/** MSAL's own error. Its message may quote the request, so only its code is kept. */
function msalFailure(error: unknown): AuthorityFailure {
  const { errorCode } = error as { errorCode?: unknown }
  const code = typeof errorCode === 'string' && /^[\w-]{1,60}$/.test(errorCode) ? errorCode : 'unknown'
  return new AuthorityFailure(
    {
      what: `The authority's response cannot be used (${code}).`,
      why:
        'Its metadata is incomplete or has another issuer, or AZURE_TENANT_ID is common, ' +
        'organizations or consumers.',
      todo: 'Check AZURE_AUTHORITY_HOST and AZURE_TENANT_ID.',
    },
    false,
    { code },
  )
}
