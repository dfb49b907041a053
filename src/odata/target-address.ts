/** The address of a target's OData service, computed once. */
export interface TargetAddress {
  /** Its origins in lower case, without a default port. Requests are sent to the first. */
  readonly origins: readonly string[]
  /** The first character of its host, in both letter cases. The URLs of most other hosts start with another one. */
  readonly hostInitials: string
  /** Path of the service, without a trailing slash: `/api/data/v9.2`. */
  readonly apiRoot: string
  /** Matches the start of a path that is already one of the target's own, and needs no rewriting. */
  readonly ownPath: RegExp
  /**
   * The form of URLs in a `$batch`: services of Dynamics accept absolute ones and those relative to the host,
   * others, such as SAP CAP, may accept only those relative to the API root.
   */
  readonly batchUrls: 'as written' | 'relative'
}

/** The form of a caller's addresses: `/accounts`, or `/api/data/v9.2/accounts`. */
export type AddressForm = 'short' | 'long'

/**
 * The address of the target whose API root is at `apiUrl`.
 *
 * A Dataverse environment has two names, `org.crm4.dynamics.com` and `org.api.crm4.dynamics.com`. Both count.
 *
 * @param apiUrl absolute, such as `https://contoso.crm4.dynamics.com/api/data/v9.2`
 * @throws TypeError when it is not an absolute URL
 */
export function targetAddress(apiUrl: string): TargetAddress {
  const { origin, host, pathname } = new URL(apiUrl)
  const apiRoot = pathname.replace(/\/+$/, '')
  const other = otherName(origin)
  const ofDynamics = /^(?:.*\/api\/data\/v\d+\.\d+|\/data|\/v2\.0\/.+)$/.test(apiRoot)
  return {
    origins: other === undefined ? [origin] : [origin, other],
    hostInitials: host[0]! + host[0]!.toUpperCase(),
    apiRoot,
    ownPath: ownPath(apiRoot),
    batchUrls: ofDynamics ? 'as written' : 'relative',
  }
}

/** The path at the target for `path`, raw and below the gateway's base. */
export function upstreamPath(target: TargetAddress, path: string): string {
  return target.ownPath.test(path) ? path : target.apiRoot + path
}

/** The part of `path`, raw and at the target, below the API root; `undefined` outside the API. */
export function resourcePathOf(target: TargetAddress, path: string): string | undefined {
  const below = path.slice(target.apiRoot.length)
  if (path.startsWith(target.apiRoot) && (below === '' || below.startsWith('/'))) return below
  const own = target.ownPath.exec(path)?.[0]
  return own === undefined ? undefined : path.slice(own.length)
}

/** The address form of `path`, raw and below the gateway's base. */
export function addressForm(target: TargetAddress, path: string): AddressForm {
  return target.ownPath.test(path) ? 'long' : 'short'
}

function otherName(origin: string): string | undefined {
  const [, organisation, api, region] = /^(https?:\/\/[^./]+)(\.api)?(\.crm\d*\..+)$/.exec(origin) ?? []
  if (organisation === undefined || region === undefined) return undefined
  return `${organisation}${api === undefined ? '.api' : ''}${region}`
}

/**
 * Dataverse: every version of the Web API. Business Central: every API and web service of the same environment, whose
 * tenant may be named or not.
 * Others: the API root.
 */
function ownPath(apiRoot: string): RegExp {
  const dataverse = /^(.*\/api\/data)\/v\d+\.\d+$/.exec(apiRoot)?.[1]
  if (dataverse !== undefined) return new RegExp(`^${literal(dataverse)}/v\\d{1,2}\\.\\d{1,2}(?=[/?#]|$)`)
  const [, environment, api] = /^\/v2\.0\/(?:[^/]+\/)?([^/]+)(\/(?:api|ODataV4)(?:\/.*)?)$/.exec(apiRoot) ?? []
  if (environment !== undefined && api !== undefined) {
    return new RegExp(`^/v2\\.0/(?:[^/?#]+/)?${literal(environment)}(?:${literal(api)}|/api|/ODataV4)(?=[/?#]|$)`)
  }
  return apiRoot === '' ? /^$/ : new RegExp(`^${literal(apiRoot)}(?=[/?#]|$)`)
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
