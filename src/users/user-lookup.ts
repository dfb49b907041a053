import { runsAsPerson } from '../config/credential.ts'
import type { Target } from '../config/schema.ts'
import { Cancellation } from '../dynamics/cancellation.ts'
import { lookupRecord } from '../dynamics/request-record.ts'
import type { RequestRecord } from '../dynamics/request-record.ts'
import { header } from '../dynamics/send.ts'
import type { Send } from '../dynamics/send.ts'
import {
  ImpersonationIgnored,
  isGatewayError,
  LimitHolds,
  retryLater,
  UserLookupFailed,
  UserLookupTooSlow,
} from '../errors.ts'
import { errorOf, explainDynamics } from '../explanations/dynamics-errors.ts'
import { inOneLine } from '../explanations/explanation.ts'
import { callerIdOf } from '../identity/caller-id.ts'
import type { User } from '../identity/caller.ts'
import { OwnError } from '../logging/own-error.ts'
import { parseJson } from '../odata/parse-json.ts'
import { retryAfter } from '../outbound/retry-after.ts'
import { lookupRequest } from './lookup-request.ts'
import { pickUser } from './pick-user.ts'
import type { LookupResult } from './pick-user.ts'
import { rateLimiter } from './rate-limit.ts'
import { userQuery } from './user-query.ts'
import type { NamedUser } from './user-query.ts'

/**
 * Asks Dynamics for the user that `named` means.
 *
 * @param parent the request whose user it is
 * @throws UserLookupFailed (502), UserLookupTooSlow (504), or the error that prevented the lookup
 */
export type LookUpUser = (named: NamedUser, parent: RequestRecord) => Promise<LookupResult>

/** The largest response, in bytes: a page of a few short rows is far smaller. */
const MAX_RESPONSE_BYTES = 256 * 1024

/**
 * Makes the function that looks up users of one environment, at a limited rate and within the time that the settings
 * allow. Lookups run as the application user, without any header of the caller.
 */
export function userLookup(
  send: Send,
  { url, impersonation, credential }: Pick<Target, 'url' | 'impersonation' | 'credential'>,
): LookUpUser {
  const { emailColumns } = impersonation
  const waitForRate = rateLimiter(impersonation.lookupsPerSecond, impersonation.lookupTimeout)

  return async (named, parent) => {
    const cancellation = new Cancellation()
    const limit = setTimeout(() => cancellation.cancel(new UserLookupTooSlow()), impersonation.lookupTimeout)
    try {
      await waitForRate(cancellation)
      const found = pickUser(await rowsOf(named, cancellation, parent), named, emailColumns)
      if (found.fault instanceof UserLookupFailed) throw found.fault
      if (found.user !== undefined && impersonation.verify) await verify(found.user, cancellation, parent)
      return found
    } finally {
      clearTimeout(limit)
    }
  }

  async function rowsOf(
    named: NamedUser,
    cancellation: Cancellation,
    parent: RequestRecord,
  ): Promise<readonly unknown[]> {
    const path = url.apiRoot + userQuery(named, emailColumns)
    const { value } = (await ask(path, [], cancellation, parent)) as { value?: unknown }
    if (!Array.isArray(value)) {
      throw new UserLookupFailed({ cause: new OwnError('the response to the lookup has no rows') })
    }
    return value
  }

  /** Checks that Dynamics really acts as the user: it ignores a caller id that it does not know. */
  async function verify(user: User, cancellation: Cancellation, parent: RequestRecord): Promise<void> {
    const { UserId: actingAs } = (await ask(`${url.apiRoot}/WhoAmI`, callerIdOf(user), cancellation, parent)) as {
      UserId?: unknown
    }
    if (String(actingAs).toLowerCase() !== user.systemUserId?.toLowerCase()) {
      throw new ImpersonationIgnored({ cause: new OwnError("WhoAmI as the user was answered with another user's id") })
    }
  }

  async function ask(
    path: string,
    extraHeaders: readonly string[],
    cancellation: Cancellation,
    parent: RequestRecord,
  ): Promise<unknown> {
    const response = await send(lookupRequest(path, extraHeaders, cancellation, lookupRecord(parent, path)))
    const body = await response.body.bytes(MAX_RESPONSE_BYTES).catch((error: unknown) => {
      throw isGatewayError(error) ? error : new UserLookupFailed({ cause: error as Error })
    })
    // A limit is not a failure of the lookup: it applies to the caller's request as well. Its response always has the
    // header, because what respects limits sets it.
    if (response.status === 429) {
      throw retryLater(new LimitHolds(), retryAfter(header(response, 'retry-after'), Date.now())!)
    }
    const json = parseJson(body.toString('utf8'))
    if (response.status === 200 && json !== undefined) return json ?? {}
    const explanation = explainDynamics({
      ...errorOf(response.status, (name) => header(response, name), json),
      impersonated: extraHeaders.length > 0,
      delegated: runsAsPerson(credential),
    })
    throw new UserLookupFailed({
      cause: new OwnError(`Dynamics 365 answered the lookup with ${response.status}: ${inOneLine(explanation)}`),
    })
  }
}
