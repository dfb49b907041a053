/** The directory (tenant) id of the emulated Microsoft Entra tenant. */
export const tenantId = '7a5f4d1e-3c2b-4e9a-8f61-0d9b2c7e4a10'

/** Domain names that can be used instead of the tenant id. */
export const tenantDomains: readonly string[] = ['contoso.onmicrosoft.com', 'contoso.com']

/** The application (client) id of the only app registration. */
export const clientId = '3f0c1b9e-58d2-4a76-9c1d-6e2f7b8a4d35'

/** The client secret of the app registration; its `+ & % =` break clients that do not encode forms. */
export const clientSecret = 'Qx8~emulated+secret/with%25odd&signs='

/** The default environment of the emulator. */
export const defaultEnvironment = 'https://contoso.crm4.dynamics.com'

/** The authority of an environment's cloud. The emulator serves its host besides loopback. */
export function authorityOf(environment: string): string {
  if (/\.(microsoftdynamics|appsplatform|dynamics)\.us$/.test(environment)) return 'https://login.microsoftonline.us'
  if (environment.endsWith('.dynamics.cn')) return 'https://login.partner.microsoftonline.cn'
  return 'https://login.microsoftonline.com'
}

/** Id of the emulated Dataverse organisation. */
export const organizationId = '0b6f9a3c-94c7-4c0e-8f43-1a9a4f2c7d58'

/** Id of the one business unit. */
export const businessUnitId = '5d3b1f80-2c4e-4f5a-9b7d-8e6a1c0f2b34'
