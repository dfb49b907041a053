import { runsAsCaller } from '../../config/credential.ts'
import { UserAmbiguous, UserDisabled, UserLookupFailed, UserNotPerson } from '../../errors.ts'
import type { Explanation } from '../../explanations/explanation.ts'
import { IGNORES_UNKNOWN_ID } from '../../explanations/gateway-errors.ts'
import { PERSON, USERS } from '../../explanations/portals.ts'
import { callerIdOf } from '../../identity/caller-id.ts'
import { isUserId } from '../../odata/guid.ts'
import { pickUser } from '../../users/pick-user.ts'
import { userQuery } from '../../users/user-query.ts'
import { getJson } from './ask.ts'
import { isDelegated, ok, skipped, StepFailure, warning } from './step.ts'
import type { Step } from './step.ts'

/** Whether Dynamics really acts as the user that `--user` names by e-mail address or Entra object id. */
export const asUser: Step = {
  name: 'as the user',
  run: async (context) => {
    const { user: email, target, userId } = context
    if (email === undefined) return skipped('to try it, name a user with --user E-MAIL (or an Entra object id)')
    if (target.url.product !== 'dataverse') return skipped('this product has no impersonation')
    if (runsAsCaller(target.credential))
      return skipped('the gateway acts only as the callers themselves: kind on-behalf-of')
    if (target.impersonation.mode === 'off') {
      return warning(
        `the gateway does not act as users: IMPERSONATION=off${
          isDelegated(context) ? ', the default of CREDENTIAL=delegated' : ''
        }`,
      )
    }
    const isId: boolean = isUserId(email)
    if (!isId && (!/^[^\s@,;]+@[^\s@,;]+$/.test(email) || email.length > 100)) {
      throw new StepFailure({
        what: `${email} is not an e-mail address.`,
        why: 'It must be one address of at most 100 characters, or an Entra object id.',
        todo: 'Write --user adele.vance@contoso.com.',
      })
    }
    const named = isId ? { objectId: email.toLowerCase() } : { email }
    const { emailColumns } = target.impersonation
    const { value } = await getJson(context, userQuery(named, emailColumns))
    const { user, fault } = pickUser(Array.isArray(value) ? value : [], named, emailColumns)
    if (fault instanceof UserLookupFailed) {
      throw new StepFailure({
        what: `The response about ${email} is incomplete: ${(fault.cause as Error).message}.`,
        why: 'The request included the column. Without it, a disabled user looks like an enabled one.',
        todo: 'Check for a proxy between the gateway and Dynamics that changes responses.',
      })
    }
    if (fault !== undefined) {
      throw new StepFailure({
        what: `The gateway would not act as ${email}.`,
        why: fault.message,
        todo: fixOf(fault, isId),
      })
    }
    const [name, id] = callerIdOf(user)
    const { UserId: actualUserId } = await getJson(context, '/WhoAmI', { [name]: id })
    const actingAs = String(actualUserId).toLowerCase()
    if (actingAs === user.systemUserId?.toLowerCase())
      return ok(`Dynamics acts as ${email} (${name}), found by ${user.foundBy}`)
    throw new StepFailure(
      actingAs === userId?.toLowerCase()
        ? ignored(email, isDelegated(context) ? 'the person who signed in' : 'the application user')
        : {
            what: 'Dynamics ran as another user.',
            why: "The response does not give the reason. Its user is neither the requested user nor the token's user.",
            todo:
              'Set IMPERSONATION_VERIFY=true, so that no request runs as another user, and check for a proxy ' +
              'between the gateway and Dynamics.',
          },
    )
  },
}

/** The explanation if Dynamics ignored the caller id. */
function ignored(email: string, tokensUser: string): Explanation {
  return {
    what: `Dynamics ignored the request to act as ${email}, and ran as ${tokensUser}.`,
    why: IGNORES_UNKNOWN_ID.why,
    todo: `${IGNORES_UNKNOWN_ID.todo}, or set IMPERSONATION_VERIFY=true so that no request runs as another user.`,
  }
}

/** The fix for each reason why the lookup found no user to act as. */
function fixOf(refusal: Error, isId: boolean): string {
  if (refusal instanceof UserDisabled) {
    return (
      `Enable the user at ${USERS}: assign the licence or the membership in the environment's security group ` +
      'that they lack.'
    )
  }
  if (refusal instanceof UserAmbiguous) {
    return (
      `In ${USERS}, find the users with this Primary Email, and disable all but one or give the others addresses ` +
      'of their own.'
    )
  }
  if (refusal instanceof UserNotPerson) {
    return (
      "Name a person. To run with the gateway's own rights, send no address. To run as another application, give " +
      'the gateway a target with that app registration.'
    )
  }
  return isId
    ? `Compare the id with the Object ID at ${PERSON}; add the user to the environment if they are not there.`
    : `Compare the address with Primary Email at ${USERS}; add the user to the environment if they are not there. ` +
        'Where people sign in with another address, name its column in USER_EMAIL_COLUMNS.'
}
