import type { AddressForm, TargetAddress } from './target-address.ts'

/** Turns the beginning of an absolute URL of one side into that of the other; the rest of it stays as it is. */
export interface UrlRule {
  /** With this many characters of a URL, or the whole, `rewrite` can decide. */
  readonly lookahead: number
  /** `undefined` when the URL is another's. */
  rewrite(url: string): Rewriting | undefined
  /** Whether a URL of which only `beginning` is known may turn out to be one to rewrite. */
  possible(beginning: string): boolean
}

/** What to put in place of how many characters at the beginning of a URL. */
export interface Rewriting {
  readonly length: number
  readonly replacement: string
}

/** The two directions between a target and the gateway as one caller addresses it. */
export interface UrlMap {
  readonly target: TargetAddress
  /** Paths of the gateway's bases, the longest first. */
  readonly basePaths: readonly string[]
  readonly upstream: UrlRule
  readonly downstream: UrlRule
}

/** How a caller addresses the gateway. */
export interface GatewayAddress {
  /** URL of the gateway up to the target's prefix, for links in answers: `https://gw.example/sales`. */
  readonly base: string
  /** Further URLs which are the same gateway when they come in. */
  readonly otherBases?: readonly string[]
  readonly form: AddressForm
}

/**
 * Cheap enough to be made for each request.
 *
 * @throws TypeError when `base` holds something that cannot stand in a URL, for it is written into headers and JSON
 */
export function urlMap(target: TargetAddress, { base, otherBases = [], form }: GatewayAddress): UrlMap {
  if (!/^https?:\/\/[!#-;=?-[\]-~]+$/i.test(base)) throw new TypeError('The base is not a URL of a gateway')
  // The longest first, for one may be the beginning of another.
  const bases = [base, ...otherBases].map(canonical).sort((one, other) => other.length - one.length)
  return {
    target,
    basePaths: bases.map((text) => text.slice(hostEnd(text))).filter((path) => path !== ''),
    downstream: downstreamRule(target, trimmed(base), form),
    upstream: upstreamRule(target, bases),
  }
}

/** The value of a `Location` or `OData-EntityId` header, or any URL, as the caller is to see it. */
export function downstreamUrl(map: UrlMap, value: string): string {
  return rewritten(map.downstream, value)
}

/** A URL as the caller wrote it, as the target is to see it. */
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

/** A path of the target's own may be longer than its API root, by digits of a version or the name of a tenant. */
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

/** How much of `url` is one of `bases`, in any letter case of the host and with or without the default port. */
function lengthOfAny(bases: readonly string[], url: string): number {
  for (const base of bases) {
    const length = lengthOf(base, url)
    if (length > 0) return length
  }
  return 0
}

function lengthOf(base: string, url: string): number {
  // As nearly every URL is written.
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

/** Host in lower case, no default port, no slash at the end. */
function canonical(base: string): string {
  const text = trimmed(base)
  const host = text.slice(0, hostEnd(text)).toLowerCase()
  return host.replace(host.startsWith('https:') ? /:443$/ : /:80$/, '') + text.slice(host.length)
}

function trimmed(base: string): string {
  return base.replace(/\/+$/, '')
}
