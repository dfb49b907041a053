import type { Target } from '../config/schema.ts'

/**
 * Identifies the replicas that share the state of a target: those with the same environment and the same application.
 * Replicas with other rights or other data share nothing.
 */
export function scopeOf({ url, credential }: Pick<Target, 'url' | 'credential'>): string {
  const tenantId = 'tenantId' in credential ? credential.tenantId : ''
  return JSON.stringify([url.origin, url.apiRoot, credential.kind, tenantId, credential.clientId ?? '']).toLowerCase()
}
