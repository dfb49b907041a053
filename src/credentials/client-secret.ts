import type { Secret } from '../config/secret.ts'
import { fetchAppToken } from './app-token.ts'
import type { AppRegistration } from './app-registration.ts'
import { AuthorityFailure } from './failure.ts'
import type { Material } from './rotation.ts'

/** An app registration with a client secret: the secret as it stands now. */
export function clientSecret(app: AppRegistration, secret: Secret): Material {
  const clientSecret = secret.reveal()
  if (clientSecret === '') {
    throw new AuthorityFailure({
      what: `The client secret (${secret.source}) is empty.`,
      why: 'The file was emptied, or is being written.',
      todo: 'Write the secret\'s value into it.',
    }, true)
  }
  return { identity: clientSecret, fetch: (request) => fetchAppToken(app, { clientSecret }, request) }
}
