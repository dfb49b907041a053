import { runsAsCaller } from '../../config/credential.ts'
import { actOnBehalfMissing } from '../../explanations/dynamics-errors.ts'
import type { Explanation } from '../../explanations/explanation.ts'
import { get, getJson, explain } from './ask.ts'
import { isDelegated, ok, skipped, StepFailure, warning } from './step.ts'
import type { CheckContext, Outcome, Step } from './step.ts'

/** The user and environment of the token. */
export const whoAmI: Step = {
  name: 'WhoAmI',
  run: async (context) => {
    if (runsAsCaller(context.target.credential)) return skipped('only people use Dynamics, each with their own token')
    if (context.target.url.product !== 'dataverse') return otherProduct(context)
    const { UserId: userId, OrganizationId: organisation } = await getJson(context, '/WhoAmI')
    if (typeof userId !== 'string') throw new StepFailure(NOT_WHO_AM_I)
    context.userId = userId
    const [user, environment] = [await userOf(context, userId), await environmentOf(context)]
    return ok(`${user}${environment ?? `organisation ${String(organisation)}`}`)
  },
}

/** Whether users can be found by e-mail address. */
export const readUsers: Step = {
  name: 'read users',
  run: async (context) => {
    const off = impersonationOff(context)
    if (off !== undefined) return off
    const response = await get(context, '/systemusers?$select=systemuserid&$top=1')
    if (response.status !== 200 || response.body === undefined) throw new StepFailure(explain(response, context))
    return ok(`${isDelegated(context) ? 'the person who signed in' : 'the application user'} may look up users`)
  },
}

/** Whether the application user's roles allow it to act as others. */
export const actOnBehalf: Step = {
  name: 'act as users',
  run: async (context) => {
    const off = impersonationOff(context)
    if (off !== undefined) return off
    const response = await get(
      context,
      `/systemusers(${context.userId})/Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName` +
        `(PrivilegeName='prvActOnBehalfOfAnotherUser')`,
    )
    const privileges = response.body?.['RolePrivileges']
    if (response.status !== 200 || !Array.isArray(privileges)) {
      return warning(`unknown (${response.status}); --user E-MAIL tests it`)
    }
    if (privileges.length === 0) throw new StepFailure(actOnBehalfMissing(isDelegated(context)))
    return ok('the role is assigned (it counts only if assigned directly; --user E-MAIL tests it)')
  },
}

function impersonationOff({ target }: CheckContext): Outcome | undefined {
  if (target.url.product !== 'dataverse') return skipped('this product has no impersonation')
  return target.impersonation.mode === 'off' ? skipped('not needed: IMPERSONATION=off') : undefined
}

const NOT_WHO_AM_I: Explanation = {
  what: 'The response to WhoAmI has no user.',
  why: 'Dynamics always names one. Another server answered with JSON, or something changed the response.',
  todo: 'Compare DYNAMICS_URL with the Environment URL, and check for a proxy between the gateway and Dynamics.',
}

/** Finance & Operations and Business Central: whether they respond. */
async function otherProduct(context: CheckContext): Promise<Outcome> {
  const response = await get(context, '/')
  if (response.status === 200 && response.body !== undefined) {
    return ok('the service responds (this product has no WhoAmI)')
  }
  const explanation = explain(response, context)
  // Another server that answered instead does not check applications.
  const own = explanation.what.startsWith('Dynamics')
  if (!own || (response.status !== 401 && response.status !== 403)) throw new StepFailure(explanation)
  const finance = context.target.url.product === 'finance-and-operations'
  throw new StepFailure({
    what: explanation.what,
    why:
      `${explanation.why} The service answers like this if it does not know the application, ` +
      'or if the token is from another tenant.',
    todo: finance
      ? 'In Finance & Operations open System administration → Setup → Microsoft Entra applications, ' +
        'and enter the client id with a user.'
      : 'In Business Central open Microsoft Entra Applications, enter the client id, set State to Enabled and add ' +
        'permission sets. Then grant admin consent (`dynamics-gateway consent`).',
  })
}

/** The name of the user. A missing right to read it is not a failure here. */
async function userOf(context: CheckContext, userId: string): Promise<string> {
  const { status, body } = await get(context, `/systemusers(${userId})?$select=fullname,applicationid,isdisabled`)
  if (status !== 200 || typeof body?.['fullname'] !== 'string') return `user ${userId}, `
  const kind = typeof body['applicationid'] === 'string' ? 'application user' : 'user'
  return `${kind} “${body['fullname'].slice(0, 80)}”${body['isdisabled'] === true ? ' (disabled)' : ''}, `
}

async function environmentOf(context: CheckContext): Promise<string | undefined> {
  const { status, body } = await get(
    context,
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
