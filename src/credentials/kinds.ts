import type { CredentialOf } from '../config/credential.ts'
import type { CredentialKindName } from '../config/settings/credential.ts'
import { certificateKind } from './certificate.ts'
import { clientSecretKind } from './client-secret.ts'
import type { CredentialKind } from './credential-kind.ts'
import { delegatedKind } from './delegated.ts'
import { managedIdentityKind } from './managed-identity.ts'
import { onBehalfOfKind } from './on-behalf-of.ts'
import { workloadIdentityKind } from './workload-identity.ts'

/** Every kind of credential. A kind of the settings that is missing here is a compile error. */
export const KINDS: { readonly [K in CredentialKindName]: CredentialKind<K> } = {
  'client-secret': clientSecretKind,
  certificate: certificateKind,
  'workload-identity': workloadIdentityKind,
  'managed-identity': managedIdentityKind,
  delegated: delegatedKind,
  'on-behalf-of': onBehalfOfKind,
}

/** The kind of `credential`. */
export function kindOf<K extends CredentialKindName>(credential: CredentialOf<K>): CredentialKind<K> {
  return KINDS[credential.kind]
}
