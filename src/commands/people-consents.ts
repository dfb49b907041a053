import { canExchange } from '../config/credential.ts'
import type { Target } from '../config/schema.ts'
import { bringsPeople } from '../config/settings/callers.ts'
import type { CallerSettings } from '../config/settings/callers.ts'
import { authorityHostOf, userScopeOf } from '../credentials/credential-facts.ts'

/** A permission that calls on behalf of people need, and the URL at which an administrator grants it. */
export interface PeopleConsent {
  readonly permission: string
  readonly url: string
}

/**
 * The permissions for callers that send tokens of people: that of the gateway for Dynamics, and that of each caller's
 * app for the gateway. Empty if no caller sends such tokens.
 *
 * @see https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
 */
export function peopleConsents(
  target: Target,
  callers: readonly CallerSettings[],
  redirectUri: string,
  state: string,
): readonly PeopleConsent[] {
  const { credential } = target
  const ofPeople = callers.filter(bringsPeople)
  if (ofPeople.length === 0 || !canExchange(credential) || !('tenantId' in credential)) return []
  const endpoint = `${authorityHostOf(target)}/${credential.tenantId}/v2.0/adminconsent`
  const urlOf = (client: string, scope: string): string =>
    `${endpoint}?${new URLSearchParams({ client_id: client, scope, redirect_uri: redirectUri, state })}`

  return [
    {
      permission: `user_impersonation of Dynamics, for the gateway (${redirectUri} must be one of its redirect URIs)`,
      url: urlOf(credential.clientId, userScopeOf(target)),
    },
    ...ofPeople.flatMap(({ name, token }) => {
      const scope = ownScopeOf(credential.clientId, token)
      const apps = token!.clientIds
      return (apps.length === 0 ? [CLIENT_ID_UNKNOWN] : apps).map((app) => ({
        permission: `${scope}, for the app of the caller ${name} (${redirectUri} must be one of that app's redirect URIs)`,
        url: urlOf(app, scope),
      }))
    }),
  ]
}

/** A placeholder to replace: the settings need not name the app that people sign in to. */
const CLIENT_ID_UNKNOWN = 'CLIENT-ID-OF-THE-APP'

/** The scope that an app requests from its sign-in library to call the gateway. */
export function ownScopeOf(clientId: string, token: CallerSettings['token']): string {
  const uri = token?.audience.find((audience) => audience.startsWith('api://')) ?? `api://${clientId}`
  return `${uri}/${token?.scopes[0] ?? '.default'}`
}
