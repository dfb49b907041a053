import { isJsonObject } from '../odata/json-object.ts'
import { parseJson } from '../odata/parse-json.ts'

/** The claims of `token` if it is a JWT, otherwise none. Not verified: for display only, never for a decision. */
export function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const claims = parseJson(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  return isJsonObject(claims) ? claims : {}
}
