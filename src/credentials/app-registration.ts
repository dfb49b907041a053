import type { Dispatcher } from 'undici'

/** The app registration, the scope of its tokens, and the connection to the authority. */
export interface AppRegistration {
  /** `https://login.microsoftonline.com` */
  readonly authorityHost: string
  readonly tenantId: string
  readonly clientId: string
  readonly scope: string
  readonly dispatcher: Dispatcher
}
