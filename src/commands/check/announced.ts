import { authorityHostOf } from '../../credentials/credential-facts.ts'
import { isGuid } from '../../odata/guid.ts'
import { ok, skipped, StepFailure, warning } from './step.ts'
import type { Step } from './step.ts'

/** Entra takes assertions of clocks that differ by less. */
const MAX_CLOCK_DIFFERENCE_MS = 5 * 60_000

/** Whether this machine's clock is correct: certificates and federated tokens depend on it. */
export const clock: Step = {
  name: 'clock',
  run: async ({ challenge }) => {
    const theirs = Date.parse(String(challenge?.headers['date']))
    if (challenge === undefined || Number.isNaN(theirs)) return skipped('the response held no date')
    const difference = (challenge.asked + challenge.answered) / 2 - theirs
    const seconds = Math.round(Math.abs(difference) / 1000)
    if (seconds <= 60) return ok('correct to the minute')
    const says = `this machine's clock is ${seconds} s ${difference > 0 ? 'ahead of' : 'behind'} that of Dynamics`
    if (Math.abs(difference) < MAX_CLOCK_DIFFERENCE_MS) return warning(says)
    throw new StepFailure({
      what: `${says[0]!.toUpperCase()}${says.slice(1)}.`,
      why:
        'Certificates and tokens are valid for a time that the clock decides; ' +
        'Entra refuses assertions of the past or future.',
      todo: 'Correct the clock of this machine (time synchronisation, for example chrony).',
    })
  },
}

/** Whether the environment belongs to the tenant that is configured. */
export const tenant: Step = {
  name: 'tenant',
  run: async ({ target, challenge }) => {
    const announced = authorityIn(challenge?.headers['www-authenticate'])
    if (announced === undefined) return skipped('Dynamics does not announce one')
    if (/^(common|organizations)$/i.test(announced.tenant)) {
      return skipped(`Dynamics announces no tenant of its own (${announced.tenant})`)
    }
    const { credential } = target
    const configured = 'tenantId' in credential ? credential.tenantId : undefined
    if (configured === undefined || !isGuid(configured)) return ok(`Dynamics announces ${announced.tenant}`)
    if (configured.toLowerCase() === announced.tenant.toLowerCase()) return ok(`${announced.tenant}, as configured`)
    // An authority of another cloud, or a private one, may have other names for its tenants.
    if (announced.host !== new URL(authorityHostOf(target)).host && !isGuid(announced.tenant)) {
      return warning(
        `Dynamics announces ${announced.tenant} at ${announced.host}, another authority than the configured one`,
      )
    }
    throw new StepFailure({
      what: `The environment belongs to the tenant ${announced.tenant}, but AZURE_TENANT_ID is ${configured}.`,
      why: 'Dynamics accepts only tokens of its own tenant.',
      todo:
        `Set AZURE_TENANT_ID=${announced.tenant}. If the app registration is in the other tenant, ` +
        'it must be multi-tenant, ' +
        "and an administrator of the environment's tenant opens the address that `dynamics-gateway consent` prints.",
    })
  },
}

/** Dynamics writes the address without quotes, which HTTP does not allow, or with them. */
function authorityIn(challenge = ''): { readonly host: string; readonly tenant: string } | undefined {
  const [, host, tenant] = /authorization_uri="?https:\/\/([a-z0-9.:-]+)\/([a-z0-9.-]+)\//i.exec(challenge) ?? []
  return host === undefined || tenant === undefined ? undefined : { host, tenant }
}
