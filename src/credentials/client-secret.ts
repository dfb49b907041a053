import type { Secret } from '../config/secret.ts'
import { rethrowUnless } from '../logging/rethrow-unless.ts'
import type { AppRegistration } from './app-registration.ts'
import { fetchAppToken } from './app-token.ts'
import { registrationOf } from './credential-kind.ts'
import type { CredentialKind } from './credential-kind.ts'
import { AuthorityFailure } from './failure.ts'
import { withRotation } from './rotation.ts'
import type { CredentialVersion } from './rotation.ts'

/** An app registration with a client secret. */
export const clientSecretKind: CredentialKind<'client-secret'> = {
  connect: (credential, context) => ({
    fetch: withRotation(() => clientSecret(registrationOf(credential, context), credential.secret), context.log),
    files: [credential.secret.file],
  }),
}

/** The credential with the current value of `secret`. */
function clientSecret(app: AppRegistration, secret: Secret): CredentialVersion {
  const clientSecret = secret.reveal()
  if (clientSecret === '') {
    throw new AuthorityFailure(
      {
        what: `The client secret (${secret.source}) is empty.`,
        why: 'The file was emptied, or is being written.',
        todo: "Write the secret's value into it.",
      },
      true,
    )
  }
  return {
    identity: clientSecret,
    fetch: async (request) => {
      try {
        return await fetchAppToken(app, { clientSecret }, request)
      } catch (error) {
        rethrowUnless(error, AuthorityFailure)
        throw addDoubt(error, secret.doubt)
      }
    },
  }
}

/** Adds the doubt about an incomplete secret, so that operators check it before they create a new one. */
function addDoubt(failure: AuthorityFailure, doubt: string | undefined): AuthorityFailure {
  const { explanation, refused, facts, cause } = failure
  if (doubt === undefined || (facts.aadsts !== INVALID_CLIENT_SECRET && facts.error !== 'invalid_client'))
    return failure
  const todo = `First: ${doubt} If the value is complete: ${explanation.todo}`
  return new AuthorityFailure({ ...explanation, todo }, refused, facts, cause)
}

/** AADSTS7000215: invalid client secret. */
const INVALID_CLIENT_SECRET = 7000215
