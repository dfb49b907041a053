import { pathSegments } from './resource-path.ts'
import type { TargetAddress } from './target-address.ts'

/** What links of Dataverse lead to beside the Web API: images, and what becomes of operations in the background. */
export const BESIDE_THE_API = /^\/(?:Image\/download\.aspx$|api\/backgroundoperation\/)/

/**
 * What is wrong with a path that means the Web API of Dataverse or another service beside it and misses it, and the
 * right form, as a sentence; `undefined` where the path can be one of the Web API. No entity set is called `api`.
 *
 * @param path raw, below the gateway's base, without the query
 */
export function mistakenPath(target: TargetAddress, path: string): string | undefined {
  const { apiRoot, ownPath } = target
  if (!/\/api\/data\/v\d+\.\d+$/.test(apiRoot) || ownPath.test(path) || BESIDE_THE_API.test(path)) return undefined
  const first = pathSegments(path)?.[0]?.name.toLowerCase() ?? ''
  if (first === 'xrmservices') {
    return (
      'The SOAP and OData V2 services of Dynamics are not passed on, only its Web API: ' +
      `write ${apiRoot}/accounts, or /accounts alone`
    )
  }
  return first === 'api' || /^v?\d{1,2}(?:\.\d{1,2})?$/.test(first)
    ? `The Web API is found at ${apiRoot}/, in lower case and with its version: ` +
        `write ${apiRoot}/accounts, or /accounts alone`
    : undefined
}
