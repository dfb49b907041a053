import { readFileSync } from 'node:fs'

import type { Credential } from '../config/credential.ts'
import type { Settings } from '../config/schema.ts'
import { CertificateFault, readKeyPair } from '../credentials/certificate-file.ts'
import { rethrowUnless } from '../logging/rethrow-unless.ts'

/**
 * The errors of certificate files of credentials, as sentences. They are checked at start; a running gateway retries.
 */
export function credentialFileErrors({ targets }: Pick<Settings, 'targets'>): string[] {
  return [...new Set(targets.flatMap(({ credential }) => errorOf(credential) ?? []))]
}

function errorOf(credential: Credential): string | undefined {
  const [file, password] =
    credential.kind === 'certificate'
      ? [credential.file, credential.password]
      : credential.kind === 'on-behalf-of'
        ? [credential.certificateFile, credential.certificatePassword]
        : []
  if (file === undefined) return undefined
  try {
    readKeyPair(readFileSync(file), password?.reveal())
    return undefined
  } catch (error) {
    rethrowUnless(error, CertificateFault)
    return `AZURE_CLIENT_CERTIFICATE_PATH (of a credential) names ${file}, which cannot be used. ${error.message}`
  }
}
