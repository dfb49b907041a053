import type { AppRegistration } from '../../credentials/app-registration.ts'
import type { Endpoints } from '../../credentials/endpoints.ts'

/** What both ways to sign in need. */
export interface SignInContext {
  readonly app: AppRegistration
  readonly endpoints: Endpoints
  /** The client secret of a confidential registration. */
  readonly secret: string | undefined
  /** Ends the wait, with an AuthorityFailure as its reason. */
  readonly signal: AbortSignal
  readonly print: (text: string) => void
  readonly openBrowser?: ((address: string) => void) | undefined
}
