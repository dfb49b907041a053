import type { AppRegistration } from '../../credentials/app-registration.ts'
import type { Endpoints } from '../../credentials/endpoints.ts'

/** What both ways of signing in work with. */
export interface SigningIn {
  readonly app: AppRegistration
  readonly endpoints: Endpoints
  /** Of a confidential registration. */
  readonly secret: string | undefined
  /** Ends the wait, with an AuthorityFailure as its reason. */
  readonly signal: AbortSignal
  readonly say: (text: string) => void
  readonly openBrowser?: ((address: string) => void) | undefined
}
