import { isGuid } from '../../odata/guid.ts'
import { SettingError } from '../setting.ts'
import { flag, matching, parsed, secret } from '../values.ts'

// Settings that several kinds of credential share.

const TENANT = {
  description: 'The Entra tenant (directory) id, or a domain of the tenant.',
  env: 'AZURE_TENANT_ID',
  required: true,
  hint: 'the Directory (tenant) ID of the app registration, for example 11111111-2222-3333-4444-555555555555',
} as const

/** The tenant of an application, which gets tokens only from one: `common` and the like are refused. */
export const tenantId = parsed(TENANT, (text) => {
  if (/^(common|organizations|consumers)$/i.test(text)) {
    throw new SettingError(
      `is ${text}, which only people can sign in through: write the Directory (tenant) ID of the app registration.`,
    )
  }
  return tenant(text)
})

/** The tenant of a person, who may sign in through `common` and the like. */
export const personsTenantId = parsed(TENANT, tenant)

/** The app registration itself. */
export const clientId = parsed(
  {
    description: "The app registration's application (client) id.",
    env: 'AZURE_CLIENT_ID',
    required: true,
    hint: 'the Application (client) ID of the app registration',
  },
  applicationId,
)

/** The password of a certificate's file. */
export const certificatePassword = secret({
  description: 'The password of the private key or PFX file.',
  env: 'AZURE_CLIENT_CERTIFICATE_PASSWORD',
})

/** Whether the certificate's chain is sent, too. */
export const sendChain = flag({
  description: 'Sends the certificate chain too, for registrations that trust a subject name and issuer.',
  env: 'AZURE_CLIENT_SEND_CERTIFICATE_CHAIN',
  fallback: false,
})

function tenant(text: string): string {
  return matching(
    /^[0-9a-z][0-9a-z.-]*$/i,
    'is not a tenant: write the Directory (tenant) ID that the app registration shows.',
  )(text)
}

/** An application id. */
export function applicationId(text: string): string {
  if (isGuid(text)) return text
  throw new SettingError(
    'is not an application id: write the Application (client) ID, for example 11111111-2222-3333-4444-555555555555.',
  )
}
