import type { Target } from '../../config/schema.ts'

/**
 * The key of the hashes of a target's idempotency keys: the setting, or the app registration, which all replicas
 * share. It does not include the secret: after a rotation the same key would make a second row.
 */
export function saltOf({ idempotencySalt, credential }: Pick<Target, 'idempotencySalt' | 'credential'>): string {
  if (idempotencySalt !== undefined) return idempotencySalt.reveal()
  const tenantId = 'tenantId' in credential ? credential.tenantId : ''
  return JSON.stringify(['dynamics-gateway', tenantId, credential.clientId ?? '']).toLowerCase()
}
