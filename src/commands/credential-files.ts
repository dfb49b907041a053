import { readFileSync } from 'node:fs'

import type { Credential } from '../config/credential.ts'
import type { Settings } from '../config/schema.ts'
import type { Secret } from '../config/secret.ts'
import { CertificateFault, readKeyPair } from '../credentials/certificate-file.ts'
import { rethrowUnless } from '../logging/rethrow-unless.ts'

/**
 * The errors of certificate files of credentials, as sentences. They are checked at start; a running gateway retries.
 *
 * @param settingsFile where the settings came from, if not only from variables
 */
export function credentialFileErrors(
  { targets }: Pick<Settings, 'targets'>,
  settingsFile: string | undefined,
): string[] {
  return targets.flatMap(({ credential }, index) => {
    const { setting, file, password } = certificateOf(credential)
    const fault = file === undefined ? undefined : errorOf(file, password)
    if (fault === undefined) return []
    const name =
      settingsFile === undefined
        ? 'AZURE_CLIENT_CERTIFICATE_PATH'
        : `targets[${index}].credential.${setting} (in the settings file)`
    return [`${name} names ${file}, which cannot be used. ${fault}`]
  })
}

function certificateOf(credential: Credential) {
  switch (credential.kind) {
    case 'certificate':
      return { setting: 'file', file: credential.file, password: credential.password }
    case 'on-behalf-of':
      return {
        setting: 'certificateFile',
        file: credential.certificateFile,
        password: credential.certificatePassword,
      }
    default:
      return {}
  }
}

function errorOf(file: string, password: Secret | undefined): string | undefined {
  try {
    readKeyPair(readFileSync(file), password?.reveal())
    return undefined
  } catch (error) {
    rethrowUnless(error, CertificateFault)
    return error.message
  }
}
