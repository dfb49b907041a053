import type { Target } from '../config/schema.ts'

/**
 * What replicas must have in common to share anything of a target: the environment, and the application that they are
 * there. Two of them with different rights, or in front of different data, are strangers.
 */
export function scopeOf({ url, credential }: Pick<Target, 'url' | 'credential'>): string {
  const tenantId = 'tenantId' in credential ? credential.tenantId : ''
  return JSON.stringify([url.origin, url.apiRoot, credential.kind, tenantId, credential.clientId ?? '']).toLowerCase()
}
