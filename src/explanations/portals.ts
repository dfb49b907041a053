// Where things are in Microsoft's portals, as an operator finds them.

/** Microsoft Entra's own portal. */
export const ENTRA = 'the Entra admin centre (entra.microsoft.com)'

/** The app registration that the gateway signs in with. */
export const REGISTRATION = `${ENTRA} → App registrations → All applications → the app`

/** What an app registration is in one tenant: its service principal. */
export const ENTERPRISE_APP = `${ENTRA} → Enterprise applications → All applications → the app`

/** A person who signs in with Entra. */
export const PERSON = `${ENTRA} → Users → All users → the person`

/** One environment of Dynamics 365. */
export const ENVIRONMENT =
  'the Power Platform admin centre (admin.powerplatform.microsoft.com) → Manage → Environments → the environment'

/** The application users of an environment. */
export const APPLICATION_USERS = `${ENVIRONMENT} → Settings → Users + permissions → Application users`

/** The people who are users of an environment. */
export const USERS = `${ENVIRONMENT} → Settings → Users + permissions → Users`
