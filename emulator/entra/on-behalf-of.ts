import { EntraError } from './aadsts.ts'
import type { Person } from './access-tokens.ts'
import type { Directory } from './directory.ts'
import { requiredParameter } from './form.ts'

/** How the tenant answers the on-behalf-of grant; can be changed at any time. */
export interface OnBehalfOf {
  /** Whether the app may use `user_impersonation` for people. */
  consent: 'granted' | 'missing'
  /** The authentication context (`acrs`) that policies require in the person's token; `undefined`: none. */
  demand: string | undefined
  /** The AADSTS number with which every exchange is refused; `undefined`: none is refused. */
  refuse: number | undefined
}

/** The result of an on-behalf-of grant. */
export interface ExchangedGrant {
  readonly person: Person
  readonly audience: string
}

/** The on-behalf-of grant: exchanges a person's token for the app for one for a resource. */
export function exchange(entra: Directory, form: URLSearchParams): ExchangedGrant {
  const { onBehalfOf, userTokens } = entra
  if (requiredParameter(form, 'requested_token_use') !== 'on_behalf_of') throw new EntraError(70003)
  const claims = userTokens.check(requiredParameter(form, 'assertion'), Date.now())
  const scopes = requiredParameter(form, 'scope')
    .split(' ')
    .filter((scope) => !['', 'openid', 'profile', 'offline_access', 'email'].includes(scope))
  const resources = new Set(scopes.map((scope) => scope.replace(/\/[^/]*$/, '')))
  if (resources.size === 0) throw new EntraError(70011, { scope: '' })
  if (resources.size > 1) throw new EntraError(28002)
  const scope = scopes[0]!
  if (!/\/(\.default|user_impersonation)$/.test(scope)) throw new EntraError(65001)
  if (onBehalfOf.refuse !== undefined) throw new EntraError(onBehalfOf.refuse)
  if (onBehalfOf.consent === 'missing') throw new EntraError(65001)
  const { demand } = onBehalfOf
  const holds: unknown = claims['acrs']
  if (demand !== undefined && !(Array.isArray(holds) && holds.includes(demand))) {
    throw new EntraError(50076, { claims: demandOf(demand) })
  }
  const person = {
    objectId: String(claims['oid']),
    name: String(claims['name']),
    userName: String(claims['preferred_username']),
  }
  return { person, audience: [...resources][0]! }
}

/** A claims challenge for an authentication context. */
function demandOf(context: string): string {
  return JSON.stringify({ access_token: { acrs: { essential: true, value: context } } })
}
