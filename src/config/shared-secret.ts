import { readFileSync } from 'node:fs'

import type { Credential } from './credential.ts'

/**
 * Reads what all replicas of a target know and nobody else does; `undefined` for a credential that has nothing of the
 * kind.
 */
export function sharedSecretOf(credential: Credential): (() => string | Buffer) | undefined {
  switch (credential.kind) {
    case 'client-secret':
      return credential.secret.reveal
    case 'certificate':
      return () => readFileSync(credential.file)
    case 'on-behalf-of': {
      const { secret, certificateFile } = credential
      return secret?.reveal ?? (certificateFile === undefined ? undefined : () => readFileSync(certificateFile))
    }
    case 'workload-identity':
    case 'managed-identity':
    case 'delegated':
      return undefined
  }
}
