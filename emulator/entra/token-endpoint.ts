import { randomBytes } from 'node:crypto'

import type { Reply } from '../http/operation.ts'
import { clientId, tenantId } from '../registration.ts'
import { EntraError } from './aadsts.ts'
import { type Person, signed } from './access-tokens.ts'
import type { Directory, EntraRequest } from './directory.ts'
import { checkTenant, formOf, requiredParameter } from './form.ts'
import { entraJson } from './json.ts'
import { exchange } from './on-behalf-of.ts'
import type { Grant } from './sign-in.ts'

/** `POST /{tenant}/oauth2/v2.0/token`, for all grants. */
export function token(entra: Directory, request: EntraRequest, tenant: string): Reply {
  const form = formOf(request)
  checkTenant(tenant)
  const grantType = requiredParameter(form, 'grant_type')
  const basic = basicOf(request.headers)
  const client = basic?.client ?? requiredParameter(form, 'client_id')
  if (client !== clientId) throw new EntraError(700016, { client, tenant })
  if (form.has('resource')) throw new EntraError(901002)
  const secret = basic?.secret ?? form.get('client_secret') ?? undefined
  checkCredential(entra, request, form, secret, grantType === 'client_credentials' || grantType === JWT_BEARER)

  switch (grantType) {
    case 'client_credentials': {
      if (tenant === 'common' || tenant === 'organizations') throw new EntraError(50059)
      return appToken(entra, requiredParameter(form, 'scope'))
    }
    case JWT_BEARER: {
      const { person, audience } = exchange(entra, form)
      checkResource(entra, audience)
      return entraJson(200, {
        ...lifetimes(entra),
        scope: `${audience}/user_impersonation`,
        access_token: entra.accessTokens.issue(audience, person, capabilitiesOf(form)),
      })
    }
    case 'authorization_code': {
      const verifier = form.get('code_verifier') ?? undefined
      return userTokens(
        entra,
        entra.grants.redeemCode(requiredParameter(form, 'code'), requiredParameter(form, 'redirect_uri'), verifier),
        form,
      )
    }
    case 'urn:ietf:params:oauth:grant-type:device_code':
    case 'device_code': {
      return userTokens(
        entra,
        entra.grants.redeemDevice(form.get('device_code') ?? requiredParameter(form, 'code')),
        form,
      )
    }
    case 'refresh_token':
      return userTokens(entra, entra.grants.redeemRefreshToken(requiredParameter(form, 'refresh_token')), form)
    default:
      throw new EntraError(70003)
  }
}

/** The client capabilities that a request declares in its claims. */
function capabilitiesOf(form: URLSearchParams): readonly string[] {
  const claims = JSON.parse(form.get('claims') ?? '{}') as {
    access_token?: { xms_cc?: { values?: readonly string[] } }
  }
  return claims.access_token?.xms_cc?.values ?? []
}

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

function appToken(entra: Directory, scope: string): Reply {
  const scopes = scope.split(' ').filter((each) => each !== '')
  if (scopes.length > 1) throw new EntraError(28002, { scope })
  if (scopes[0] === undefined) throw new EntraError(70011, { scope })
  if (!scopes[0].endsWith('/.default')) throw new EntraError(1002012, { scope })
  // The audience is the text before the last `/.default`, including a trailing slash.
  const audience = scopes[0].slice(0, -'/.default'.length)
  checkResource(entra, audience)
  return entraJson(200, { ...lifetimes(entra), access_token: entra.accessTokens.issue(audience, undefined) })
}

function userTokens(entra: Directory, grant: Grant, form: URLSearchParams): Reply {
  const scope = form.get('scope') ?? grant.scope
  const scopes = scope.split(' ').filter((each) => each !== '')
  const resource = scopes.find((each) => each.includes('://'))
  const audience = resource?.replace(/\/(\.default|user_impersonation)$/, '') ?? entra.resources[0]
  checkResource(entra, audience)
  const { person } = grant
  const openId = scopes.includes('openid')
  return entraJson(200, {
    ...lifetimes(entra),
    scope: [`${audience}/user_impersonation`, `${audience}/.default`].join(' '),
    access_token: entra.accessTokens.issue(audience, person),
    ...(scopes.includes('offline_access') ? { refresh_token: entra.grants.refreshToken({ ...grant, scope }) } : {}),
    ...(openId ? { id_token: idToken(person, grant.nonce) } : {}),
    ...(form.get('client_info') === '1'
      ? { client_info: Buffer.from(JSON.stringify({ uid: person.objectId, utid: tenantId })).toString('base64url') }
      : {}),
  })
}

function lifetimes({ tokens }: Directory): Readonly<Record<string, unknown>> {
  return {
    token_type: 'Bearer',
    expires_in: tokens.lifetime,
    ext_expires_in: tokens.lifetime,
    ...(tokens.refreshIn === undefined ? {} : { refresh_in: tokens.refreshIn }),
  }
}

function idToken(person: Person, nonce: string | undefined): string {
  const now = Math.floor(Date.now() / 1000)
  return signed(
    {
      aud: clientId,
      iss: `https://login.microsoftonline.com/${tenantId}/v2.0`,
      iat: now,
      nbf: now,
      exp: now + 3600,
      name: person.name,
      oid: person.objectId,
      preferred_username: person.userName,
      sub: person.objectId,
      tid: tenantId,
      ver: '2.0',
      ...(nonce === undefined ? {} : { nonce }),
    },
    randomBytes(32),
  )
}

function checkCredential(
  entra: Directory,
  { origin, path }: EntraRequest,
  form: URLSearchParams,
  secret: string | undefined,
  required: boolean,
): void {
  const assertion = form.get('client_assertion')
  if (assertion !== null) {
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    if (form.get('client_assertion_type') !== type) throw new EntraError(900144, { parameter: 'client_assertion_type' })
    const authority = `https://login.microsoftonline.com/${tenantId}/v2.0`
    entra.keys.check(assertion, [`${origin}${path}`, authority])
  } else if (secret !== undefined) {
    if (!entra.secrets.has(secret)) throw new EntraError(7000215)
  } else if (required) throw new EntraError(7000218)
}

/** Other resources of the tenant. Entra issues tokens for them, and Dataverse refuses those. */
const OTHER_RESOURCES: readonly string[] = ['https://graph.microsoft.com', 'https://globaldisco.crm.dynamics.com']

function checkResource({ resources }: Directory, audience: string): void {
  if ([...resources, ...OTHER_RESOURCES].includes(audience.replace(/\/$/, ''))) return
  throw new EntraError(500011, { resource: audience })
}

function basicOf(
  headers: ReadonlyMap<string, string>,
): { readonly client: string; readonly secret: string } | undefined {
  const encoded = /^Basic (\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  if (encoded === undefined) return undefined
  const [client = '', secret = ''] = Buffer.from(encoded, 'base64').toString().split(':').map(decodeURIComponent)
  return { client, secret }
}
