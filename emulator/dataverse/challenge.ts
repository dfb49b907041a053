import type { Reply } from '../http/operation.ts'
import { tenantId } from '../registration.ts'

/**
 * 401 with the challenge of Dataverse, whose parameters are not quoted although RFC 9110 wants them to be. With
 * `claims` (JSON) it is the challenge of continuous access evaluation.
 */
export function challenge(origin: string, claims?: string): Reply {
  const value =
    claims === undefined
      ? `Bearer authorization_uri=https://login.microsoftonline.com/${tenantId}/oauth2/authorize, resource_id=${origin}/`
      : 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", ' +
        `error="insufficient_claims", claims="${Buffer.from(claims).toString('base64')}"`
  return {
    status: 401,
    headers: [
      ['WWW-Authenticate', value],
      ['Content-Length', '0'],
    ],
  }
}
