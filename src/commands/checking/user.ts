import { COLUMNS, pickUser } from '../../callers/pick-user.ts'
import { callerIdOf, literalOf } from '../../callers/system-user.ts'
import { UserLookupFailed } from '../../errors.ts'
import { ask, askFor, explain } from './ask.ts'
import { ok, skipped, StepFailure } from './step.ts'
import type { Step } from './step.ts'

const USERS = 'Power Platform admin centre (admin.powerplatform.microsoft.com) → Manage → Environments → the '
  + 'environment → Settings → Users + permissions → Users'

/** Whether Dynamics really acts as the user with the e-mail address that `--user` names. */
export const asUser: Step = {
  name: 'as the user',
  run: async (checking) => {
    const { user: email, target, userId } = checking
    if (email === undefined) return skipped('name a user with --user E-MAIL to try it')
    if (target.url.product !== 'dataverse') return skipped('this product has no impersonation')
    if (!/^[^\s@,;]+@[^\s@,;]+$/.test(email) || email.length > 100) {
      throw new StepFailure({
        what: `${email} is no e-mail address.`,
        why: 'It must be one address of at most 100 characters.',
        todo: 'Write --user adele.vance@contoso.com.',
      })
    }
    const { value } = await askFor(
      checking, `/systemusers?$select=${COLUMNS}&$filter=internalemailaddress%20eq%20${literalOf(email)}&$top=10`,
    )
    const found = pickUser(Array.isArray(value) ? value : [], email)
    if (found instanceof UserLookupFailed) {
      throw new StepFailure({
        what: `What Dynamics says of ${email} is not whole: ${(found.cause as Error).message}.`,
        why: 'The column was asked for. Without it a disabled user could not be told from an enabled one.',
        todo: 'Look at what stands between the gateway and Dynamics, such as a proxy that changes answers.',
      })
    }
    if (found instanceof Error) {
      throw new StepFailure({
        what: `The gateway would not act as ${email}.`,
        why: found.message,
        todo: `Compare the address with Primary Email at ${USERS}.`,
      })
    }
    const [name, id] = callerIdOf(found)
    const answer = await ask(checking, '/WhoAmI', { [name]: id })
    if (answer.status !== 200) throw new StepFailure(explain(answer, true))
    const actingAs = String(answer.body?.['UserId']).toLowerCase()
    if (actingAs === found.systemUserId?.toLowerCase()) return ok(`Dynamics acts as ${email} (${name})`)
    throw new StepFailure({
      what: actingAs === userId?.toLowerCase()
        ? `Dynamics ignored the wish to act as ${email}, and ran as the application user.`
        : 'Dynamics ran as another user.',
      why: `It knows no user with the id in ${name}, although the row holds it.`,
      todo: `Compare the user's Entra object id with the one at ${USERS} → the user; remove and add the user again if `
        + 'they differ, or set IMPERSONATION_VERIFY=true so that no request runs as somebody else.',
    })
  },
}
