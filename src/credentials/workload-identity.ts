import { readFileSync } from 'node:fs'

import type { AppRegistration } from './app-registration.ts'
import { fetchAppToken } from './app-token.ts'
import { registrationOf } from './credential-kind.ts'
import type { CredentialKind } from './credential-kind.ts'
import type { FetchToken } from './credential.ts'
import { AuthorityFailure } from './failure.ts'
import { claimsOf } from './token-claims.ts'

/** A federated token that the platform writes to a file (Kubernetes). */
export const workloadIdentityKind: CredentialKind<'workload-identity'> = {
  connect: (credential, context) => ({
    fetch: workloadIdentity(registrationOf(credential, context), credential.file),
    files: [credential.file],
  }),
  /** The claims that Entra compares with the federated credential; never the token itself. */
  describeProof: ({ file }) => {
    try {
      const { iss, sub, aud } = claimsOf(readFileSync(file, 'utf8'))
      return `a platform token with issuer ${String(iss)}, subject ${String(sub)}, audience ${String(aud)}`
    } catch {
      return undefined
    }
  },
}

/** The platform replaces the token regularly, so the file is read for every request. */
function workloadIdentity(app: AppRegistration, file: string): FetchToken {
  return (request) => fetchAppToken(app, { clientAssertion: readAssertion(file) }, request)
}

function readAssertion(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    throw new AuthorityFailure(
      {
        what: `The platform's token file ${file} cannot be read (${code}).`,
        why: "The platform does not mount it, or the gateway's user may not read it.",
        todo:
          'For Kubernetes set the label azure.workload.identity/use: "true" on the pod, ' +
          'and see that its service account is annotated with the client id.',
      },
      false,
      { code },
    )
  }
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)) {
    throw new AuthorityFailure(
      {
        what: `The platform's token file ${file} holds no token.`,
        why: 'It is being written, or is another file.',
        todo: 'Check AZURE_FEDERATED_TOKEN_FILE.',
      },
      false,
    )
  }
  return text
}
