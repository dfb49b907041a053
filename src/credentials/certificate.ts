import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

import type { ClientAssertionCallback } from '@azure/msal-node'

import type { Secret } from '../config/secret.ts'
import type { Logger } from '../logging/logger.ts'
import { rethrowUnless } from '../logging/rethrow-unless.ts'
import type { AppRegistration } from './app-registration.ts'
import { fetchAppToken } from './app-token.ts'
import { signAssertion } from './assertion.ts'
import { CertificateFault, readKeyPair } from './certificate-file.ts'
import type { KeyPair } from './certificate-file.ts'
import { registrationOf } from './credential-kind.ts'
import type { CredentialKind } from './credential-kind.ts'
import { dueWarning } from './expiry.ts'
import { AuthorityFailure } from './failure.ts'
import { withRotation } from './rotation.ts'
import type { CredentialVersion } from './rotation.ts'

/** An app registration with a certificate. */
export const certificateKind: CredentialKind<'certificate'> = {
  connect: (credential, context) => ({
    fetch: withRotation(certificate(registrationOf(credential, context), credential, context.log), context.log),
    files: [credential.file, credential.password?.file],
  }),
}

interface CertificateSettings {
  readonly file: string
  readonly password: Secret | undefined
  /** Whether to send the chain too, for registrations that trust a subject name and issuer. */
  readonly sendChain: boolean
}

/**
 * Returns a function that reads the file at each call, and warns 30, 7 and 1 days before the
 * certificate expires.
 */
function certificate(
  app: AppRegistration,
  { file, password, sendChain }: CertificateSettings,
  log: Logger,
): () => CredentialVersion {
  let last: { readonly identity: string; readonly pair: KeyPair } | undefined
  let warned: number | undefined
  return () => {
    const identity = fingerprint(readFileSync(file), password?.reveal())
    if (identity !== last?.identity) {
      last = { identity, pair: read() }
      warned = undefined
      log.info(certificateFacts(last.pair), 'certificate')
    }
    const { pair } = last
    warn(pair)
    const credentialEnds = Date.parse(pair.certificate.validTo)
    return {
      identity,
      fetch: async (request) => ({
        ...(await fetchAppToken(app, { clientAssertion: signedWith(pair) }, request)),
        credentialEnds,
      }),
    }
  }

  function read(): KeyPair {
    try {
      return readKeyPair(readFileSync(file), password?.reveal())
    } catch (error) {
      rethrowUnless(error, CertificateFault)
      throw new AuthorityFailure(
        { what: `The certificate's file ${file} cannot be used.`, why: error.why, todo: error.todo },
        true,
      )
    }
  }

  function signedWith(pair: KeyPair): ClientAssertionCallback {
    return async ({ clientId, tokenEndpoint = '' }) => signAssertion(pair, { clientId, tokenEndpoint, sendChain })
  }

  function warn({ certificate }: KeyPair): void {
    const left = Date.parse(certificate.validTo) - Date.now()
    const due = dueWarning(left)
    if (due === undefined || due === warned) return
    warned = due
    const when = left < 0 ? 'has expired' : `expires within ${due === 1 ? 'a day' : `${due} days`}`
    log.warn(
      { ends: endOf(certificate.validTo) },
      `the certificate of the credential ${when}: upload a new one to the app registration and replace the file`,
    )
  }
}

/** The public facts of a certificate. Entra's portal shows the SHA-1 thumbprint. */
function certificateFacts({ certificate, chain }: KeyPair): {
  thumbprint: string
  sha256: string
  subject: string
  ends: string
  chain: number
} {
  return {
    thumbprint: hex(certificate.fingerprint),
    sha256: hex(certificate.fingerprint256),
    subject: certificate.subject.replaceAll('\n', ', '),
    ends: endOf(certificate.validTo),
    chain: chain.length,
  }
}

function hex(fingerprint: string): string {
  return fingerprint.replaceAll(':', '')
}

function endOf(validTo: string): string {
  return new Date(validTo).toISOString()
}

function fingerprint(file: Buffer, password = ''): string {
  return createHash('sha256').update(file).update('\0').update(password).digest('hex')
}
