import type { NodeAuthOptions } from '@azure/msal-node'

import type { AppRegistration } from './app-registration.ts'
import { tokenIn } from './authority-response.ts'
import type { FetchedToken, TokenRequest } from './credential.ts'
import { isMicrosofts } from './endpoints.ts'
import { AuthorityFailure, ClaimsDemanded, isClaims } from './failure.ts'
import { network } from './network.ts'
import type { Network } from './network.ts'

/** What the app proves its identity with: exactly one of both. */
export type Proof = Pick<NodeAuthOptions, 'clientSecret'> | Pick<NodeAuthOptions, 'clientAssertion'>

/**
 * Fetches a token with MSAL: for the app itself (client credentials grant), or for a person whose token it was given
 * (on-behalf-of grant). MSAL only fetches: each time a new instance,
 * because one blocks itself for 60 s after a failure, and without its cache, which ends tokens five minutes early.
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
  return ask(way, async () => {
    const client = new ConfidentialClientApplication({
      auth: { ...authorityOf(app), ...proof },
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

/** The client id and authority as MSAL wants them. Hosts that it does not know must be named with their port. */
export function authorityOf({ authorityHost, tenantId, clientId }: AppRegistration): NodeAuthOptions {
  return {
    clientId,
    authority: `${authorityHost}/${tenantId}`,
    ...(isMicrosofts(authorityHost) ? {} : { knownAuthorities: [new URL(authorityHost).host] }),
  }
}

/** Runs `call` of MSAL and reads its outcome off the network: MSAL loses causes, and takes answers without a token. */
export async function ask(way: Network, call: () => Promise<unknown>): Promise<FetchedToken> {
  try {
    await call()
  } catch (error) {
    throw withClaims(way.failure() ?? ofMsal(error), way)
  }
  const failure = way.failure()
  if (failure !== undefined) throw withClaims(failure, way)
  return tokenIn(way.answer())
}

/** `failure`, with what Entra asks of the person beside it. */
function withClaims(failure: AuthorityFailure, way: Network): AuthorityFailure {
  const claims = way.answer()?.body?.['claims']
  return isClaims(claims) ? new ClaimsDemanded(failure, claims) : failure
}

/** MSAL's own complaint. Its message may quote what was sent, so only its code is kept. */
function ofMsal(error: unknown): AuthorityFailure {
  if (error instanceof AuthorityFailure) return error
  const { errorCode } = (error ?? {}) as { errorCode?: unknown }
  const code = typeof errorCode === 'string' && /^[\w-]{1,60}$/.test(errorCode) ? errorCode : 'unknown'
  return new AuthorityFailure(
    {
      what: `The authority's answer cannot be used (${code}).`,
      why:
        'Its metadata is not complete, names another issuer, or AZURE_TENANT_ID is common, ' +
        'organizations or consumers.',
      todo: 'Check AZURE_AUTHORITY_HOST and AZURE_TENANT_ID.',
    },
    false,
    { code },
  )
}
