import { isGuid } from '../odata/guid.ts'
import { isLoopbackHost } from '../odata/loopback.ts'
import { SettingError } from './setting.ts'

/** What the URL of an environment determines: the address of the API, and the product. */
export interface Environment {
  readonly product: 'dataverse' | 'finance-and-operations' | 'business-central'
  /** `https://contoso.crm4.dynamics.com`: the one origin that an access token is sent to. */
  readonly origin: string
  /** `/api/data/v9.2`: the path of the OData service, without a trailing slash. */
  readonly apiRoot: string
  /** The scope of access tokens. */
  readonly scope: string
  /** The authority of the host's cloud. */
  readonly authorityHost: string
}

const URL_HINT = "write the environment's URL, such as https://contoso.crm4.dynamics.com"
/** Hosts of Microsoft's clouds. Their API root is known, and they accept tokens for themselves only. */
export const ONLINE_HOST = /\.(dynamics|dynamics-int|microsoftdynamics|appsplatform)\.(com|cn|us|de)$/
const PAGE_PATH = /\.aspx$|^\/(apps|main|tools|WebResources|_api)$/i

/**
 * Reads the URL of an environment, and corrects what people paste: a missing `https://`, the path of
 * a page (`main.aspx?appid=…`), a trailing slash. An ambiguous URL is refused with a fix.
 */
export function environmentUrl(raw: string): Environment {
  if (raw === '') throw new SettingError(`is empty: ${URL_HINT}.`)
  if (isGuid(raw.replace(/^(?:https:\/\/)?\{?(?:default-)?|\}?\/?$/gi, ''))) {
    throw new SettingError(
      `is an environment's id: ${URL_HINT} (Power Platform admin centre, Environments, the environment, ` +
        'Environment URL).',
    )
  }
  const url = parse(raw)
  refuseOtherSites(url.hostname)
  if (url.username !== '' || url.password !== '') throw new SettingError(`holds a user name or password: ${URL_HINT}.`)
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
    throw new SettingError('begins with http://, which would send the access token unprotected: write https://.')
  }
  const product = productOf(url)
  const origin =
    product === 'business-central' ? url.origin.replace('//businesscentral.', '//api.businesscentral.') : url.origin
  return {
    product,
    origin,
    apiRoot: apiRootOf(product, url),
    scope: product === 'business-central' ? 'https://api.businesscentral.dynamics.com/.default' : `${origin}/.default`,
    authorityHost: authorityOf(url.hostname),
  }
}

function parse(raw: string): URL {
  // `https:/contoso…` and `https//contoso…` are common copying mistakes.
  const repaired = raw.replace(/^(https?)(:\/?|\/\/)(?=[^/:])/i, '$1://').replace(/^\/\//, '')
  const complete = /^[a-z][a-z0-9+.-]*:\/\//i.test(repaired) ? repaired : `https://${repaired}`
  if (!URL.canParse(complete)) throw new SettingError(`is not a URL: ${URL_HINT}.`)
  const url = new URL(complete)
  // A trailing dot of a host name is valid in DNS, but neither Entra nor Dynamics accepts it.
  if (url.hostname.endsWith('.')) url.hostname = url.hostname.slice(0, -1)
  // The URL standard accepts two addresses with a comma between them as one URL.
  if (/[^a-z0-9._[\]:-]/.test(url.hostname)) throw new SettingError(`is not a URL: ${URL_HINT}.`)
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new SettingError(`does not begin with https://: ${URL_HINT}.`)
  if (!url.hostname.includes('.') && !isLoopbackHost(url.hostname)) {
    throw new SettingError(`is not a complete host name: ${URL_HINT}.`)
  }
  return url
}

/** Throws for pages about environments, which are not environments themselves. */
function refuseOtherSites(host: string): void {
  const site = [
    [
      /(^|\.)make\.((gov|high)\.)?(powerapps|powerautomate)\.(com|us|cn)$|^make\.apps\.appsplatform\.us$/,
      'the maker portal',
    ],
    [
      /(^|\.)admin\.(powerplatform\.microsoft|powerplatform|appsplatform)\.(com|us|cn)$|^port\.crm\d*\.dynamics\.com$/,
      'the Power Platform admin centre',
    ],
    [
      /(^|\.)(powerapps|powerautomate|powerplatform|powerappsportals|powerpages)\.(com|us|cn|microsoft\.com)$/,
      'a Power Platform portal',
    ],
    [/(^|\.)(portal|entra)\.(azure|microsoft)\.(com|us|cn)$/, 'an administration portal'],
    [/(^|\.)login\.(microsoftonline|windows|microsoft|chinacloudapi|partner)\./, 'the authority that signs people in'],
    [/^(global)?disco\./, 'the discovery service'],
    [/^(home|www)\.dynamics\.com$/, 'the Dynamics 365 home page'],
    [/(^|\.)(microsoft|office|office365|sharepoint)\.com$/, "a page of Microsoft's"],
  ].find(([form]) => (form as RegExp).test(host))
  if (site !== undefined) throw new SettingError(`is ${site[1] as string}, not an environment: ${URL_HINT}.`)
}

/**
 * @see https://learn.microsoft.com/dynamics365/fin-ops-core/dev-itpro/data-entities/odata for the hosts of
 * Finance & Operations
 */
function productOf({ hostname, pathname }: URL): Environment['product'] {
  if (/(^|\.)businesscentral\.dynamics\.com$/.test(hostname)) return 'business-central'
  if (/\.(operations(365)?|axcloud|cloudax)\./.test(hostname) || /^\/data\/?$/.test(pathname)) {
    return 'finance-and-operations'
  }
  return /^\/v2\.0\/.+\/api\/v2\.0\/?$/.test(pathname) ? 'business-central' : 'dataverse'
}

function apiRootOf(product: Environment['product'], url: URL): string {
  const path = url.pathname.replace(/\/+$/, '')
  const segments = path.split('/').slice(1)
  switch (product) {
    case 'finance-and-operations':
      return /^\/[a-z]+\/data$/i.test(path) ? path : '/data'
    case 'business-central': {
      if (/^\/v2\.0\/.*\/(api|ODataV4)(\/|$)/.test(path)) return path
      const names = segments.filter((segment) => segment !== '' && segment !== 'v2.0')
      if (names.length < 1 || names.length > 2) {
        throw new SettingError(
          'does not name the environment: write https://api.businesscentral.dynamics.com/v2.0/<environment>.',
        )
      }
      return `/v2.0/${names.join('/')}/api/v2.0`
    }
    case 'dataverse': {
      const version = /^((?:\/[^/]+)?\/api\/data)(\/v\d+\.\d+)?(?:\/.*)?$/i.exec(path)
      if (version !== null) return `${version[1]!}${version[2] ?? '/v9.2'}`
      if (ONLINE_HOST.test(url.hostname)) return '/api/data/v9.2'
      // Elsewhere a path is the API root, unless it is a page of Dynamics. On premises, the API root is below the
      // name of the organisation.
      const [, organisation = ''] = /^(\/[^/]+)\/[^/]+\.aspx$/i.exec(path) ?? []
      return path === '' || PAGE_PATH.test(path) ? `${organisation}/api/data/v9.2` : path
    }
  }
}

/** @see https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud */
function authorityOf(host: string): string {
  if (/\.(microsoftdynamics|appsplatform|dynamics)\.us$/.test(host)) return 'https://login.microsoftonline.us'
  if (host.endsWith('.dynamics.cn')) return 'https://login.partner.microsoftonline.cn'
  return 'https://login.microsoftonline.com'
}
