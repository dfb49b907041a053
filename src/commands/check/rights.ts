import { runsAsCaller } from '../../config/credential.ts'
import { actOnBehalfMissing } from '../../explanations/dynamics-errors.ts'
import type { Explanation } from '../../explanations/explanation.ts'
import { ask, askFor, explain } from './ask.ts'
import { isDelegated, ok, skipped, StepFailure, warning } from './step.ts'
import type { Checking, Outcome, Step } from './step.ts'

/** The user and environment of the token. */
export const whoAmI: Step = {
  name: 'WhoAmI',
  run: async (checking) => {
    if (runsAsCaller(checking.target.credential))
      return skipped('only people reach Dynamics, each with their own token')
    if (checking.target.url.product !== 'dataverse') return otherProduct(checking)
    const { UserId: userId, OrganizationId: organisation } = await askFor(checking, '/WhoAmI')
    if (typeof userId !== 'string') throw new StepFailure(NOT_WHO_AM_I)
    checking.userId = userId
    const [user, environment] = [await userOf(checking, userId), await environmentOf(checking)]
    return ok(`${user}${environment ?? `organisation ${String(organisation)}`}`)
  },
}

/** Whether users can be found by e-mail address. */
export const readUsers: Step = {
  name: 'read users',
  run: async (checking) => {
    const off = impersonationOff(checking)
    if (off !== undefined) return off
    const response = await ask(checking, '/systemusers?$select=systemuserid&$top=1')
    if (response.status !== 200 || response.body === undefined) throw new StepFailure(explain(response, checking))
    return ok(`${isDelegated(checking) ? 'the person who signed in' : 'the application user'} may look users up`)
  },
}

/** Whether the application user's roles allow it to act as others. */
export const actOnBehalf: Step = {
  name: 'act as users',
  run: async (checking) => {
    const off = impersonationOff(checking)
    if (off !== undefined) return off
    const response = await ask(
      checking,
      `/systemusers(${checking.userId})/Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName` +
        `(PrivilegeName='prvActOnBehalfOfAnotherUser')`,
    )
    const held = response.body?.['RolePrivileges']
    if (response.status !== 200 || !Array.isArray(held)) {
      return warning(`unknown (${response.status}); --user E-MAIL proves it`)
    }
    if (held.length === 0) throw new StepFailure(actOnBehalfMissing(isDelegated(checking)))
    return ok('the role is there (it counts only if assigned directly; --user E-MAIL proves it)')
  },
}

function impersonationOff({ target }: Checking): Outcome | undefined {
  if (target.url.product !== 'dataverse') return skipped('this product has no impersonation')
  return target.impersonation.mode === 'off' ? skipped('not needed: IMPERSONATION=off') : undefined
}

const NOT_WHO_AM_I: Explanation = {
  what: 'The response to WhoAmI holds no user.',
  why: 'Dynamics names one in each. Something else answered with JSON, or changed what Dynamics wrote.',
  todo: 'Compare DYNAMICS_URL with the Environment URL, and check what is between, such as a proxy.',
}

/** Finance & Operations and Business Central: whether they respond. */
async function otherProduct(checking: Checking): Promise<Outcome> {
  const response = await ask(checking, '/')
  if (response.status === 200 && response.body !== undefined) {
    return ok('the service answers (this product has no WhoAmI)')
  }
  const explanation = explain(response, checking)
  // What else answered in its place knows nothing of applications.
  const own = explanation.what.startsWith('Dynamics')
  if (!own || (response.status !== 401 && response.status !== 403)) throw new StepFailure(explanation)
  const finance = checking.target.url.product === 'finance-and-operations'
  throw new StepFailure({
    what: explanation.what,
    why:
      `${explanation.why} The service answers so where it does not know the application, ` +
      'or where the token is of another tenant.',
    todo: finance
      ? 'In Finance & Operations open System administration → Setup → Microsoft Entra applications, ' +
        'and enter the client id with a user.'
      : 'In Business Central open Microsoft Entra Applications, enter the client id, set State to Enabled and add ' +
        'permission sets; then grant admin consent (`dynamics-gateway consent`).',
  })
}

/** The name of the user. Reading it may not be allowed, which is not a failure here. */
async function userOf(checking: Checking, userId: string): Promise<string> {
  const { status, body } = await ask(checking, `/systemusers(${userId})?$select=fullname,applicationid,isdisabled`)
  if (status !== 200 || typeof body?.['fullname'] !== 'string') return `user ${userId}, `
  const kind = typeof body['applicationid'] === 'string' ? 'application user' : 'user'
  return `${kind} “${body['fullname'].slice(0, 80)}”${body['isdisabled'] === true ? ' (disabled)' : ''}, `
}

async function environmentOf(checking: Checking): Promise<string | undefined> {
  const { status, body } = await ask(
    checking,
    '/RetrieveCurrentOrganization(AccessType=@p)?@p=Microsoft.Dynamics.CRM.EndpointAccessType%27Default%27',
  )
  const {
    FriendlyName: name,
    UniqueName: unique,
    OrganizationVersion: version,
  } = (body?.['Detail'] ?? {}) as Record<string, unknown>
  return status === 200 && typeof name === 'string'
    ? `environment “${name.slice(0, 80)}” (${String(unique)}, ${String(version)})`
    : undefined
}
