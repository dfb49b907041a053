import { existsSync } from 'node:fs'

import type { Dispatcher } from 'undici'

import { quotation } from '../explanations/explanation.ts'
import type { Explanation } from '../explanations/explanation.ts'
import { arcChallengeResponse } from './arc.ts'
import { authorityRequest } from './authority-request.ts'
import { responseFailure, textOf, tokenIn } from './authority-response.ts'
import type { AuthorityResponse } from './authority-response.ts'
import { scopeOf } from './credential-facts.ts'
import type { CredentialKind } from './credential-kind.ts'
import type { FetchedToken, FetchToken } from './credential.ts'
import { AuthorityFailure } from './failure.ts'

/** The identity that Azure gives the machine, app or container. */
export const managedIdentityKind: CredentialKind<'managed-identity'> = {
  connect: ({ clientId }, { target, agent, env }) => ({
    fetch: managedIdentity({ clientId, scope: scopeOf(target), dispatcher: agent, env }),
  }),
  consent: 'No consent is needed: a managed identity has its rights from the application user alone.',
}

interface ManagedIdentity {
  /** The client id of a user-assigned identity; `undefined`: the system-assigned one. */
  readonly clientId: string | undefined
  readonly scope: string
  readonly dispatcher: Dispatcher
  /** Variables with the endpoint of the platform. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The local token endpoint of the platform. */
interface Endpoint {
  readonly platform: 'App Service or Container Apps' | 'Azure Arc' | 'virtual machine (IMDS)'
  readonly url: string
  readonly version: string
  readonly headers: Record<string, string>
}

const ARC_AGENT = '/opt/azcmagent/bin/himds'

/**
 * Fetches tokens from the local endpoint of the platform, which needs no secret. Without MSAL, whose managed identity
 * is shared by the entire process, with its own cache and retries.
 *
 * @see https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
 */
function managedIdentity(identity: ManagedIdentity): FetchToken {
  return async ({ signal }) => {
    const endPoint = endPointOf(identity.env)
    const url = new URL(endPoint.url)
    url.searchParams.set('api-version', endPoint.version)
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
      const response = await ask(endPoint.headers)
      const again =
        endPoint.platform === 'Azure Arc' && response.status === 401
          ? arcChallengeResponse(response.headers['www-authenticate'])
          : undefined
      return tokenOf(
        again === undefined ? response : await ask({ ...endPoint.headers, authorization: again }),
        identity.clientId,
      )
    } catch (error) {
      throw noResponse(error, endPoint)
    }
  }
}

function endPointOf(env: ManagedIdentity['env']): Endpoint {
  const { IDENTITY_ENDPOINT: url, IDENTITY_HEADER: header, IMDS_ENDPOINT: imds } = env
  if (env['IDENTITY_SERVER_THUMBPRINT'] !== undefined || (url === undefined && env['MSI_ENDPOINT'] !== undefined)) {
    throw new AuthorityFailure(
      {
        what: 'The managed identity of this platform is not supported.',
        why: 'Service Fabric, Machine Learning and Cloud Shell have endpoints of their own kind.',
        todo: 'Use a certificate or a federated token instead.',
      },
      true,
    )
  }
  if (url !== undefined && header !== undefined) {
    return {
      platform: 'App Service or Container Apps',
      url,
      version: '2019-08-01',
      headers: { 'x-identity-header': header },
    }
  }
  const metadata = { metadata: 'true' }
  if (url !== undefined && imds !== undefined) {
    return { platform: 'Azure Arc', url, version: '2020-06-01', headers: metadata }
  }
  if (existsSync(ARC_AGENT)) {
    return {
      platform: 'Azure Arc',
      url: 'http://127.0.0.1:40342/metadata/identity/oauth2/token',
      version: '2020-06-01',
      headers: metadata,
    }
  }
  const host = (env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] ?? 'http://169.254.169.254').replace(/\/+$/, '')
  return {
    platform: 'virtual machine (IMDS)',
    url: `${host}/metadata/identity/oauth2/token`,
    version: '2018-02-01',
    headers: metadata,
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
    throw new AuthorityFailure(explain(failure, said), refused && !passing, failure.facts)
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

/** Why no token was issued: Entra's number explains most, then the endpoint's error. */
function explain({ facts, explanation }: AuthorityFailure, said: string): Explanation {
  if (facts.aadsts !== undefined) return explanation
  if (UNKNOWN_IDENTITY.test(said)) return NO_IDENTITY
  if (AMBIGUOUS_IDENTITY.test(said)) return SEVERAL_IDENTITIES
  if (said === '' && facts.error === undefined) return explanation
  const says = quotation(said)
  return {
    what:
      `The managed identity's endpoint responded with ${facts.status}` +
      `${facts.error === undefined ? '' : ` (${facts.error})`}.`,
    why: 'The gateway has no explanation for this response.',
    todo:
      'Compare DYNAMICS_URL and AZURE_CLIENT_ID with the environment and with Azure portal → the virtual machine, ' +
      'app or container app → Identity.',
    ...(says === undefined ? {} : { says }),
  }
}

/** The errors of virtual machines, App Service and Azure Arc for an unknown identity. */
const UNKNOWN_IDENTITY = new RegExp(
  [
    /\bidentity (?:was )?not found\b/,
    /\bno\b.{0,40}\bmanaged identity (?:was )?found\b/,
    /\bidentity\b.{0,60}\bnot (?:been )?assigned\b/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'i',
)

/** The error of a virtual machine with several identities when no client id was sent. */
const AMBIGUOUS_IDENTITY = /\bmultiple user.assigned identities\b/i

/** App Service sends the expiry in seconds since 1970 instead of a lifetime. */
function secondsUntil(moment: unknown): number | undefined {
  const seconds = Number(moment)
  return moment === undefined || !Number.isFinite(seconds) ? undefined : Math.floor(seconds - Date.now() / 1000)
}

const NO_IDENTITY: Explanation = {
  what: 'There is no such managed identity here.',
  why: 'The machine or app has no managed identity, or not the one with the id in AZURE_CLIENT_ID.',
  todo:
    'Switch it on at Azure portal → the virtual machine, app or container app → Identity; ' +
    'for a user-assigned one set AZURE_CLIENT_ID to its client id, else remove AZURE_CLIENT_ID.',
}

const SEVERAL_IDENTITIES: Explanation = {
  what: 'There are several managed identities here, and none was chosen.',
  why: 'A machine with several user-assigned identities issues tokens only with a client id.',
  todo: 'Set AZURE_CLIENT_ID to the client id of the one to use (Azure portal → the virtual machine → Identity).',
}

/**
 * No response at all: usually the machine is outside Azure, and the variables of a credential were forgotten.
 */
function noResponse(error: unknown, { platform }: Endpoint): unknown {
  if (!(error instanceof AuthorityFailure) || error.refused || error.facts.status !== undefined) return error
  return new AuthorityFailure(
    {
      what: `The managed identity's endpoint (${platform}) did not answer (${error.facts.code ?? 'no connection'}).`,
      why: 'No other credential is set, so the gateway uses a managed identity, which exists only inside Azure.',
      todo:
        'If this does not run in Azure, set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, ' +
        'or another credential.',
    },
    false,
    error.facts,
    error.cause,
  )
}
