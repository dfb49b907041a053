import { authorityHostOf } from '../../credentials/select.ts'
import { ok, skipped, StepFailure, warning } from './step.ts'
import type { Step } from './step.ts'

/** Entra takes assertions of clocks that differ by less. */
const TOLERATED = 5 * 60_000

/** Whether this machine's clock is that of the world: certificates and federated tokens depend on it. */
export const clock: Step = {
  name: 'clock',
  run: async ({ target, challenge }) => {
    const theirs = Date.parse(challenge?.headers['date'] ?? '')
    if (challenge === undefined || Number.isNaN(theirs)) return skipped('the answer held no date')
    const difference = (challenge.asked + challenge.answered) / 2 - theirs
    const seconds = Math.round(Math.abs(difference) / 1000)
    if (seconds <= 60) return ok('right to the minute')
    const says = `this machine's clock is ${seconds} s ${difference > 0 ? 'ahead of' : 'behind'} that of Dynamics`
    const { kind } = target.credential
    if (Math.abs(difference) < TOLERATED || (kind !== 'certificate' && kind !== 'workload-identity')) return warning(says)
    throw new StepFailure({
      what: `${says[0]!.toUpperCase()}${says.slice(1)}.`,
      why: 'Entra refuses assertions of a certificate or federated token that are too old or of the future.',
      todo: 'Set the clock of this machine right (time synchronisation, for example chrony).',
    })
  },
}

/** Whether the environment belongs to the tenant that is configured. */
export const tenant: Step = {
  name: 'tenant',
  run: async ({ target, challenge }) => {
    const announced = authorityIn(challenge?.headers['www-authenticate'])
    if (announced === undefined) return skipped('Dynamics announces none')
    if (/^(common|organizations)$/i.test(announced.tenant)) return skipped(`Dynamics announces no tenant of its own (${announced.tenant})`)
    const { credential } = target
    const configured = credential.kind === 'managed-identity' ? undefined : credential.tenantId
    if (configured === undefined || !isGuid(configured)) return ok(`Dynamics announces ${announced.tenant}`)
    if (configured.toLowerCase() === announced.tenant.toLowerCase()) return ok(`${announced.tenant}, as configured`)
    if (announced.host !== new URL(authorityHostOf(target)).host) {
      return warning(`Dynamics announces ${announced.tenant} at ${announced.host}, another authority than the configured one`)
    }
    throw new StepFailure({
      what: `The environment belongs to the tenant ${announced.tenant}, but AZURE_TENANT_ID is ${configured}.`,
      why: 'Dynamics takes tokens of its own tenant only.',
      todo: `Set AZURE_TENANT_ID=${announced.tenant}. If the app registration is in the other tenant, it must be multi-tenant, `
        + 'and an administrator of the environment\'s tenant opens the address that `dynamics-gateway consent` prints.',
    })
  },
}

/** Dynamics writes the address without quotes, which HTTP does not allow, or with them. */
function authorityIn(challenge = ''): { readonly host: string, readonly tenant: string } | undefined {
  const [, host, tenant] = /authorization_uri="?https:\/\/([a-z0-9.:-]+)\/([a-z0-9.-]+)\//i.exec(challenge) ?? []
  return host === undefined || tenant === undefined ? undefined : { host, tenant }
}

function isGuid(text: string): boolean {
  return /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text)
}
