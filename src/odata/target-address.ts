/** Where a target's OData service stands. Made once per target. */
export interface TargetAddress {
  /** Its origins in lower case, without a default port; the first is the one that is called. */
  readonly origins: readonly string[]
  /** What stands in each of its URLs in a body, and in few others: `//c`, `//C`, or two slashes that are escaped. */
  readonly marks: readonly string[]
  /** Path at which the service begins, without a slash at its end: `/api/data/v9.2`. */
  readonly apiRoot: string
  /** Matches the beginning of a path that already is one of the target's own, and stands as it is. */
  readonly ownPath: RegExp
  /**
   * How URLs stand in a `$batch`: services of Dynamics surely take absolute ones and those relative to the host,
   * others, such as SAP CAP, may take only those relative to the API root.
   */
  readonly batchUrls: 'as written' | 'relative'
}

/** How a caller writes addresses: `/accounts`, or `/api/data/v9.2/accounts`. */
export type AddressForm = 'short' | 'long'

/**
 * The address of the target whose API root is at `apiUrl`.
 *
 * A Dataverse environment answers to two names, `org.crm4.dynamics.com` and `org.api.crm4.dynamics.com`: both count.
 *
 * @param apiUrl absolute, such as `https://contoso.crm4.dynamics.com/api/data/v9.2`
 * @throws TypeError when it is no absolute URL
 */
export function targetAddress(apiUrl: string): TargetAddress {
  const { origin, host, pathname } = new URL(apiUrl)
  const apiRoot = pathname.replace(/\/+$/, '')
  const other = otherName(origin)
  const ofDynamics = /^(?:.*\/api\/data\/v\d+\.\d+|\/data|\/v2\.0\/.+)$/.test(apiRoot)
  return {
    origins: other === undefined ? [origin] : [origin, other],
    marks: [...new Set([`//${host[0]!}`, `//${host[0]!.toUpperCase()}`]), ESCAPED_SLASHES],
    apiRoot,
    ownPath: ownPath(apiRoot),
    batchUrls: ofDynamics ? 'as written' : 'relative',
  }
}

/** As PHP and some .NET serializers write a double slash. */
const ESCAPED_SLASHES = '\\/\\/'

/** The path at the target that `path`, raw and below the gateway's base, stands for. */
export function upstreamPath(target: TargetAddress, path: string): string {
  return target.ownPath.test(path) ? path : target.apiRoot + path
}

/** What of `path`, raw and at the target, lies below the API root; `undefined` when it lies outside of the API. */
export function resourcePathOf(target: TargetAddress, path: string): string | undefined {
  const below = path.slice(target.apiRoot.length)
  if (path.startsWith(target.apiRoot) && /^(?:\/|$)/.test(below)) return below
  const own = target.ownPath.exec(path)?.[0]
  return own === undefined ? undefined : path.slice(own.length)
}

/** Which address form `path`, raw and below the gateway's base, is written in. */
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
