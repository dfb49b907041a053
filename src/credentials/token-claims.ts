import { isJsonObject } from '../odata/json-object.ts'
import { parseJson } from '../odata/parse-json.ts'

/**
 * The claims of `token` if it is a JWT, otherwise none. They are not verified: they may describe a token, or be a reason
 * to refuse it, but never allow anything.
 */
export function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const claims = parseJson(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  return isJsonObject(claims) ? claims : {}
}
