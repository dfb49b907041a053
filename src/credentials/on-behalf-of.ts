import type { CredentialOf } from '../config/credential.ts'
import { certificateKind } from './certificate.ts'
import { clientSecretKind } from './client-secret.ts'
import type { ConnectContext, CredentialKind, TokenSource } from './credential-kind.ts'
import { workloadIdentityKind } from './workload-identity.ts'

/**
 * An app registration that reaches Dynamics only as the people who call. Its own token is fetched, so
 * that a credential that Entra refuses is found at once, but no request is sent with it.
 */
export const onBehalfOfKind: CredentialKind<'on-behalf-of'> = {
  connect: proofOf,
  consent:
    'Consent is needed for the delegated permission user_impersonation of Dynamics: people or an administrator give it.',
}

/** The kind that proves the registration's identity. Exactly one is set (`config/cross-checks.ts`). */
function proofOf(credential: CredentialOf<'on-behalf-of'>, context: ConnectContext): TokenSource {
  const { tenantId, clientId, secret, certificateFile, certificatePassword, sendChain, federatedTokenFile } = credential
  const registration = { tenantId, clientId }
  if (certificateFile !== undefined) {
    const settings = { ...registration, file: certificateFile, password: certificatePassword, sendChain }
    return certificateKind.connect({ kind: 'certificate', ...settings }, context)
  }
  if (federatedTokenFile !== undefined) {
    return workloadIdentityKind.connect(
      { kind: 'workload-identity', ...registration, file: federatedTokenFile },
      context,
    )
  }
  return clientSecretKind.connect({ kind: 'client-secret', ...registration, secret: secret! }, context)
}
