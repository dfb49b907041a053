import type { Dispatcher } from 'undici'

/** The app registration, what its token is for, and the way to the authority. */
export interface AppRegistration {
  /** `https://login.microsoftonline.com` */
  readonly authorityHost: string
  readonly tenantId: string
  readonly clientId: string
  readonly scope: string
  readonly dispatcher: Dispatcher
}
