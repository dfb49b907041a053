import type { Target } from '../../config/schema.ts'

/**
 * What keys the hashes of a target's idempotency keys: the setting, or else the app registration, which all replicas
 * share. Not its secret: after a rotation the same key would make a second row.
 */
export function saltOf({ idempotencySalt, credential }: Pick<Target, 'idempotencySalt' | 'credential'>): string {
  if (idempotencySalt !== undefined) return idempotencySalt.reveal()
  const tenantId = 'tenantId' in credential ? credential.tenantId : ''
  return JSON.stringify(['dynamics-gateway', tenantId, credential.clientId ?? '']).toLowerCase()
}
