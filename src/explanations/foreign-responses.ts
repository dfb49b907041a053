import { isMicrosoftsAuthority } from '../config/authority-hosts.ts'
import type { Explanation } from './explanation.ts'

/** What the head of a response shows of who wrote it. */
export interface ResponseEvidence {
  readonly status: number
  readonly contentType?: string | undefined
  /** The header `Location`. */
  readonly location?: string | undefined
  /** The header `WWW-Authenticate`. */
  readonly challenge?: string | undefined
  /** Whether the body begins like a page, whatever its content type. */
  readonly isPage?: boolean | undefined
}

/** Whether a content type is that of a page for people, which the Web API writes only as the content of a file. */
export function isPage(contentType: string | undefined): boolean {
  return contentType !== undefined && /^\s*(?:text\/html|application\/xhtml\+xml)\s*(?:;|$)/i.test(contentType)
}

/** Whether a body begins like HTML or XML: with `<` after blanks. A byte order mark may come first. */
export function beginsLikePage(body: Buffer): boolean {
  let at = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0
  while (at < body.length && BLANKS.has(body[at]!)) at++
  return body[at] === 0x3c
}

const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d])

/**
 * Whether `location`, of a response of `environment`, leads to where people sign in: to an authority, or to an address
 * that says so.
 *
 * @param environment origin and API root; what lies below them is Dynamics' own
 * @param authorityHost the authority of the settings, an origin
 */
export function leadsToSignIn(
  location: string,
  { origin, apiRoot }: { readonly origin: string; readonly apiRoot: string },
  authorityHost: string,
): boolean {
  if (!URL.canParse(location, origin)) return false
  const { origin: leadsTo, hostname, pathname, searchParams } = new URL(location, origin)
  if (leadsTo === origin && pathname.startsWith(`${apiRoot}/`)) return false
  if (isMicrosoftsAuthority(hostname) || leadsTo === authorityHost) return true
  return (
    SIGN_IN_PATH.test(pathname) ||
    searchParams.get('wa')?.startsWith('wsignin') === true ||
    searchParams.has('SAMLRequest') ||
    searchParams.has('response_type')
  )
}

/** Paths of OAuth, AD FS and SAML, and what portals call their own; the query tells WS-Federation, SAML and OpenID. */
const SIGN_IN_PATH = /\/(?:oauth2?|adfs|saml2?|authorize|sign-?in|log-?[io]n|sso)(?:[/.]|$)/i

/**
 * Why a response is not Dynamics' own, as far as its head shows it; `undefined` where it may be. Pages and redirects
 * are distinguished: each has its own place to look at.
 */
export function explainForeign(evidence: ResponseEvidence): Explanation | undefined {
  const { status, contentType, location, challenge } = evidence
  if (status === 407 || status === 511) {
    return {
      what: `Something answered ${status} in place of Dynamics, and asks for a sign-in to the network.`,
      why: 'Dynamics does not send this status; a proxy between the gateway and Dynamics does.',
      todo: 'Put the user name and password of the proxy into HTTPS_PROXY, or ask its operators to let the gateway pass.',
    }
  }
  if (status >= 300 && status < 400) {
    const host = location !== undefined && URL.canParse(location) ? ` to ${new URL(location).host}` : ''
    return {
      what: `Something answered ${status} in place of Dynamics, a redirect${host}.`,
      why: 'Dynamics does not redirect requests of the Web API; a proxy or a site that wants a sign-in does.',
      todo: COMMON_FIX,
    }
  }
  if (evidence.isPage === true || isPage(contentType)) {
    const type = contentType === undefined || contentType === '' ? 'no content type' : contentType.trim().slice(0, 60)
    return {
      what: `Something answered ${status} in place of Dynamics, with a page (${type}).`,
      why:
        'Dynamics answers with JSON. Pages come from something in between: a web filter, a proxy, a load balancer ' +
        'or a sign-in page.',
      todo: COMMON_FIX,
    }
  }
  const scheme = /^\s*([\w-]{1,30})/.exec(challenge ?? '')?.[1]
  if (status === 401 && scheme !== undefined && !/^bearer$/i.test(scheme)) {
    return {
      what: `Something answered ${status} in place of Dynamics, and asks for ${scheme} authentication.`,
      why: 'Dynamics 365 online asks for Bearer tokens only. A proxy, or an environment on premises, asks for others.',
      todo: COMMON_FIX,
    }
  }
  if (status < 300) {
    return {
      what: `Something answered ${status} in place of Dynamics.`,
      why: `What came is not the JSON that was asked for${contentType === undefined ? '' : ` (${contentType})`}.`,
      todo: COMMON_FIX,
    }
  }
  return undefined
}

const COMMON_FIX =
  'Compare DYNAMICS_URL with the Environment URL, and check what is between: ' +
  'the proxy (HTTPS_PROXY) and the firewall of this network.'
