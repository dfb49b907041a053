import type { JWTPayload } from 'jose'

import type { CallerSettings } from '../config/settings/callers.ts'
import { UserNotAllowed } from '../errors.ts'
import type { Caller, Session } from '../identity/caller.ts'
import { isUserId } from '../odata/guid.ts'

/**
 * `caller` with the user of its verified token, if the settings take the user from there.
 *
 * @param expires when the token expires, in milliseconds since 1970
 * @throws UserNotAllowed when the token has no user
 */
export function withUser(
  caller: Caller,
  userFrom: CallerSettings['userFrom'],
  claims: JWTPayload,
  expires: number,
): Caller {
  if (userFrom === 'header') return caller
  if (userFrom === 'on-behalf-of' || userFrom === 'on-behalf-of-or-header') {
    const mayNameOthers = userFrom === 'on-behalf-of-or-header'
    return { ...caller, user: { onBehalfOf: sessionOf(claims, expires), mayNameOthers } }
  }
  const claim = claims[userFrom]
  if (typeof claim !== 'string' || claim === '') throw new UserNotAllowed(`its token has no claim ${userFrom}`)
  if (isAppOnly(claims)) throw new UserNotAllowed('its token belongs to an application, not to a user')
  if (userFrom === 'oid') {
    if (!isUserId(claim)) throw new UserNotAllowed('the claim oid of its token is not an object id')
    return { ...caller, user: { objectId: claim.toLowerCase() } }
  }
  if (String(claims['email_verified']) === 'false') {
    throw new UserNotAllowed('the issuer has not verified the address in its token')
  }
  return { ...caller, user: { email: claim } }
}

/** The session of a token of Entra. */
function sessionOf(claims: JWTPayload, expires: number): Session {
  const { oid, tid, scp } = claims
  if (isAppOnly(claims)) throw new UserNotAllowed('its token is that of an application, not of a user')
  if (typeof scp !== 'string' || scp === '') {
    throw new UserNotAllowed('its token has no scope (scp): send an access token for the gateway, not an ID token')
  }
  if (typeof oid !== 'string' || typeof tid !== 'string' || !isUserId(oid) || !isUserId(tid)) {
    throw new UserNotAllowed('its token names no user of Entra (oid and tid)')
  }
  return { objectId: oid.toLowerCase(), tenantId: tid.toLowerCase(), expires }
}

/** Whether an app got the token for itself: Entra then sets `oid` and `sub` to the app, and grants no scopes. */
export function isAppOnly(claims: JWTPayload): boolean {
  const { idtyp, scp, scope, oid, sub } = claims
  return idtyp === 'app' || (scp === undefined && scope === undefined && oid !== undefined && oid === sub)
}
