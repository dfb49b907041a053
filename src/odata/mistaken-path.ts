import { pathSegments } from './resource-path.ts'
import type { TargetAddress } from './target-address.ts'

/** Whether a path is one of Dataverse's links outside the Web API: images, and the status of background operations. */
export function isBesideTheApi(path: string): boolean {
  return path === '/Image/download.aspx' || path.startsWith('/api/backgroundoperation/')
}

/**
 * The error of a path that was meant for the Web API of Dataverse or for another service and misses it, with the
 * right form; `undefined` when the path may belong to the Web API. No entity set is called `api`.
 *
 * @param path raw, below the gateway's base, without the query
 */
export function mistakenPath(target: TargetAddress, path: string): string | undefined {
  if (!MAY_BE_MISTAKEN.test(path)) return undefined
  const { apiRoot, ownPath } = target
  if (!/\/api\/data\/v\d+\.\d+$/.test(apiRoot) || ownPath.test(path) || isBesideTheApi(path)) return undefined
  const first = pathSegments(path)?.[0]?.name.toLowerCase() ?? ''
  if (first === 'xrmservices') {
    return (
      'The gateway does not forward the SOAP and OData V2 services of Dynamics, only its Web API: ' +
      `write ${apiRoot}/accounts, or /accounts alone`
    )
  }
  return first === 'api' || /^v?\d{1,2}(?:\.\d{1,2})?$/.test(first)
    ? `The Web API is found at ${apiRoot}/, in lower case and with its version: ` +
        `write ${apiRoot}/accounts, or /accounts alone`
    : undefined
}

/** How mistaken paths begin. Most paths do not, and are not read any further. A percent-encoded segment may be one. */
const MAY_BE_MISTAKEN = /^\/(?:api|xrms|v?\d|[^/]*%)/i
