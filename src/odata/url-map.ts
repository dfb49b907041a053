import type { AddressForm, TargetAddress } from './target-address.ts'

/** Rewrites the start of an absolute URL of one side as that of the other; the rest is unchanged. */
export interface UrlRule {
  /** How many characters of a URL `rewrite` needs to decide, if it is not complete. */
  readonly lookahead: number
  /** `undefined` for URLs of other hosts. */
  rewrite(url: string): Rewriting | undefined
  /** Whether a URL with a known `beginning` may need rewriting. */
  possible(beginning: string): boolean
}

/** The replacement of the first characters of a URL. */
export interface Rewriting {
  readonly length: number
  readonly replacement: string
}

/** The two directions between a target and the gateway, as one caller addresses it. */
export interface UrlMap {
  readonly target: TargetAddress
  /** Paths of the gateway's bases, the longest first. */
  readonly basePaths: readonly string[]
  readonly upstream: UrlRule
  readonly downstream: UrlRule
}

/** The gateway's address from a caller's point of view. */
export interface GatewayAddress {
  /** URL of the gateway up to the target's prefix, for links in responses: `https://gw.example/sales`. */
  readonly base: string
  /** Further URLs of the same gateway in requests. */
  readonly otherBases?: readonly string[]
  readonly form: AddressForm
}

/**
 * Creates the map of one request; cheap enough for each request.
 *
 * @throws TypeError when `base` is not a valid URL, because it is written into headers and JSON
 */
export function urlMap(target: TargetAddress, { base, otherBases = [], form }: GatewayAddress): UrlMap {
  if (!/^https?:\/\/[!#-;=?-[\]-~]+$/i.test(base)) throw new TypeError('The base is not a URL of a gateway')
  // The longest first, because one may be a prefix of another.
  const bases = [base, ...otherBases].map(canonical).sort((one, other) => other.length - one.length)
  return {
    target,
    basePaths: bases.map((text) => text.slice(hostEnd(text))).filter((path) => path !== ''),
    downstream: downstreamRule(target, trimmed(base), form),
    upstream: upstreamRule(target, bases),
  }
}

/** The value of a `Location` or `OData-EntityId` header, or any URL, for the caller. */
export function downstreamUrl(map: UrlMap, value: string): string {
  return rewritten(map.downstream, value)
}

/** A caller's URL, rewritten for the target. */
export function upstreamUrl(map: UrlMap, value: string): string {
  return rewritten(map.upstream, value)
}

function rewritten(rule: UrlRule, url: string): string {
  const found = rule.rewrite(url)
  return found === undefined ? url : found.replacement + url.slice(found.length)
}

function downstreamRule(target: TargetAddress, base: string, form: AddressForm): UrlRule {
  const { origins, apiRoot } = target
  return {
    lookahead: longest(origins) + apiRoot.length + 1,
    possible: (beginning) => possible(origins, beginning),
    rewrite(url) {
      const taken = lengthOfAny(origins, url)
      if (taken === 0) return undefined
      const below = form === 'short' && url.startsWith(apiRoot, taken) && isBorder(url, taken + apiRoot.length)
      return { length: below ? taken + apiRoot.length : taken, replacement: base }
    },
  }
}

/** By how many characters a path of the target may exceed its API root: digits of a version, or a tenant. */
const SPARE_CHARACTERS = 96

function upstreamRule(target: TargetAddress, bases: readonly string[]): UrlRule {
  const reach = longest(bases) + target.apiRoot.length + SPARE_CHARACTERS
  return {
    lookahead: reach,
    possible: (beginning) => possible(bases, beginning),
    rewrite(url) {
      const taken = lengthOfAny(bases, url)
      if (taken === 0) return undefined
      const root = target.ownPath.test(url.slice(taken, taken + reach)) ? '' : target.apiRoot
      return { length: taken, replacement: `${target.origins[0]}${root}` }
    },
  }
}

/** The length of the base at the start of `url`, in any letter case of the host, with or without the default port. */
function lengthOfAny(bases: readonly string[], url: string): number {
  for (const base of bases) {
    const length = lengthOf(base, url)
    if (length > 0) return length
  }
  return 0
}

function lengthOf(base: string, url: string): number {
  // The form of nearly every URL.
  if (url.startsWith(base) && isBorder(url, base.length)) return base.length
  const host = hostEnd(base)
  if (url.slice(0, host).toLowerCase() !== base.slice(0, host)) return 0
  const port = base.startsWith('https:') ? ':443' : ':80'
  const path = url.startsWith(port, host) && isBorder(url, host + port.length) ? host + port.length : host
  const end = path + base.length - host
  return url.startsWith(base.slice(host), path) && isBorder(url, end) ? end : 0
}

function possible(bases: readonly string[], beginning: string): boolean {
  return bases.some((base) => {
    const known = Math.min(hostEnd(base), beginning.length)
    return beginning.slice(0, known).toLowerCase() === base.slice(0, known)
  })
}

function isBorder(url: string, at: number): boolean {
  const next = url[at]
  return next === undefined || next === '/' || next === '?' || next === '#'
}

function hostEnd(base: string): number {
  const end = base.indexOf('/', base.indexOf('//') + 2)
  return end === -1 ? base.length : end
}

/** Room for a default port as well. */
function longest(bases: readonly string[]): number {
  return Math.max(...bases.map((base) => base.length)) + ':443'.length
}

/** Host in lower case, no default port, no trailing slash. */
function canonical(base: string): string {
  const text = trimmed(base)
  const host = text.slice(0, hostEnd(text)).toLowerCase()
  return host.replace(host.startsWith('https:') ? /:443$/ : /:80$/, '') + text.slice(host.length)
}

function trimmed(base: string): string {
  return base.replace(/\/+$/, '')
}
