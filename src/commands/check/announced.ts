import { authorityHostOf } from '../../credentials/credential-facts.ts'
import { isGuid } from '../../odata/guid.ts'
import { ok, skipped, StepFailure, warning } from './step.ts'
import type { Step } from './step.ts'

/** Entra accepts assertions if the clocks differ by less than this. */
const MAX_CLOCK_DIFFERENCE_MS = 5 * 60_000

/** Whether this machine's clock is correct: certificates and federated tokens depend on it. */
export const clock: Step = {
  name: 'clock',
  run: async ({ challenge }) => {
    const serverTime = Date.parse(String(challenge?.headers['date']))
    if (challenge === undefined || Number.isNaN(serverTime)) return skipped('the response has no Date header')
    const difference = (challenge.asked + challenge.answered) / 2 - serverTime
    const seconds = Math.round(Math.abs(difference) / 1000)
    if (seconds <= 60) return ok('differs by less than a minute')
    const finding = `this machine's clock is ${seconds} s ${difference > 0 ? 'ahead of' : 'behind'} that of Dynamics`
    if (Math.abs(difference) < MAX_CLOCK_DIFFERENCE_MS) return warning(finding)
    throw new StepFailure({
      what: `${finding[0]!.toUpperCase()}${finding.slice(1)}.`,
      why:
        'Certificates and tokens are valid for a limited time. ' +
        'Entra refuses assertions whose time is in the past or in the future.',
      todo: 'Correct the clock of this machine (time synchronisation, for example chrony).',
    })
  },
}

/** Whether the environment belongs to the configured tenant. */
export const tenant: Step = {
  name: 'tenant',
  run: async ({ target, challenge }) => {
    const announced = authorityIn(challenge?.headers['www-authenticate'])
    if (announced === undefined) return skipped('Dynamics does not announce a tenant')
    if (/^(common|organizations)$/i.test(announced.tenant)) {
      return skipped(`Dynamics announces no tenant of its own (${announced.tenant})`)
    }
    const { credential } = target
    const configured = 'tenantId' in credential ? credential.tenantId : undefined
    if (configured === undefined || !isGuid(configured)) return ok(`Dynamics announces ${announced.tenant}`)
    if (configured.toLowerCase() === announced.tenant.toLowerCase()) return ok(`${announced.tenant}, as configured`)
    // An authority of another cloud, or a private one, may use other names for its tenants.
    if (announced.host !== new URL(authorityHostOf(target)).host && !isGuid(announced.tenant)) {
      return warning(
        `Dynamics announces ${announced.tenant} at ${announced.host}, another authority than the configured one`,
      )
    }
    throw new StepFailure({
      what: `The environment belongs to the tenant ${announced.tenant}, but AZURE_TENANT_ID is ${configured}.`,
      why: 'Dynamics accepts only tokens from its own tenant.',
      todo:
        `Set AZURE_TENANT_ID=${announced.tenant}. If the app registration is in the other tenant, ` +
        'it must be multi-tenant, ' +
        "and an administrator of the environment's tenant opens the address that `dynamics-gateway consent` prints.",
    })
  },
}

/** The authority in a challenge. Dynamics writes the URL with or without quotes, although HTTP requires them. */
function authorityIn(challenge = ''): { readonly host: string; readonly tenant: string } | undefined {
  const [, host, tenant] = /authorization_uri="?https:\/\/([a-z0-9.:-]+)\/([a-z0-9.-]+)\//i.exec(challenge) ?? []
  return host === undefined || tenant === undefined ? undefined : { host, tenant }
}
