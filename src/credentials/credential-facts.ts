import type { Target } from '../config/schema.ts'

/** The public facts of a credential: its kind, tenant, client id and authority. */
export function factsOf(target: Target): { kind: string; tenant?: string; clientId?: string; authority?: string } {
  const { credential } = target
  const { kind, clientId } = credential
  return {
    kind,
    ...('tenantId' in credential ? { tenant: credential.tenantId } : {}),
    ...(clientId === undefined ? {} : { clientId }),
    ...('tenantId' in credential ? { authority: authorityHostOf(target) } : {}),
  }
}

/** The authority of `target`: the configured one, or that of its cloud. */
export function authorityHostOf(target: Pick<Target, 'url' | 'authorityHost'>): string {
  return target.authorityHost ?? target.url.authorityHost
}

/** The scope of a person's access token for `target`. Products other than Dataverse have other permissions. */
export function userScopeOf(target: Pick<Target, 'url' | 'scope'>): string {
  const scope = scopeOf(target)
  return target.url.product === 'dataverse' ? scope.replace(/\.default$/, 'user_impersonation') : scope
}

/** The scope of the access token for `target`. */
export function scopeOf(target: Pick<Target, 'url' | 'scope'>): string {
  return target.scope ?? target.url.scope
}
