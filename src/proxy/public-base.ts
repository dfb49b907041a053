import type { IncomingMessage } from 'node:http'
import { BlockList, isIPv6 } from 'node:net'

import { cachedByText } from '../odata/cached-by-text.ts'
import { isLoopbackHost, LOOPBACK_HOSTS } from '../odata/loopback.ts'
import type { AddressForm, TargetAddress } from '../odata/target-address.ts'
import { urlMap } from '../odata/url-map.ts'
import type { UrlMap } from '../odata/url-map.ts'

interface Options {
  readonly address: TargetAddress
  /** `/sales`, or empty. */
  readonly prefix: string
  readonly publicUrl: string | undefined
  readonly trustedProxies: readonly string[]
}

/**
 * Creates the function for the base of links in a response: `PUBLIC_URL`, or the scheme and
 * host that the caller used. `X-Forwarded-…` counts only on connections from a trusted proxy.
 */
export function linksFor({
  address,
  prefix,
  publicUrl,
  trustedProxies,
}: Options): (request: IncomingMessage, form: AddressForm) => UrlMap {
  const mapsOf = (scheme: string, form: AddressForm): ((host: string) => UrlMap) =>
    cachedByText((host) => mapFor(`${scheme}://${HOST.test(host) ? host : 'localhost'}`, form))
  const maps = {
    http: { short: mapsOf('http', 'short'), long: mapsOf('http', 'long') },
    https: { short: mapsOf('https', 'short'), long: mapsOf('https', 'long') },
  }
  const trusts = trusted(trustedProxies)

  return ({ headers, socket }, form) => {
    const byProxy = trustedProxies.length > 0 && trusts(socket.remoteAddress)
    const scheme =
      (byProxy && last(headers['x-forwarded-proto']) === 'https') || 'encrypted' in socket ? 'https' : 'http'
    const host = (byProxy ? last(headers['x-forwarded-host']) : undefined) ?? headers.host ?? ''
    return maps[scheme][form](host)
  }

  function mapFor(own: string, form: AddressForm): UrlMap {
    const otherBases = spellings(own).map((base) => base + prefix)
    return urlMap(address, { base: (publicUrl ?? own) + prefix, otherBases, form })
  }
}

const HOST = /^[a-z0-9.:[\]_-]+$/i

/**
 * The bases that mean the same gateway: this machine has several names, and an unknown proxy in front of the gateway
 * may terminate TLS, so that callers use https.
 */
function spellings(base: string): string[] {
  const [, host = '', port = ''] = /^https?:\/\/(.*?)(:\d+)?$/.exec(base)!
  const hosts = isLoopbackHost(host) ? new Set([host, ...LOOPBACK_HOSTS]) : [host]
  return [...hosts].flatMap((name) => [`http://${name}${port}`, `https://${name}${port}`])
}

/** The value of the nearest proxy, if there are several. */
function last(value: string | string[] | undefined): string | undefined {
  return (Array.isArray(value) ? value.join(',') : value)?.split(',').at(-1)?.trim()
}

function trusted(proxies: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList()
  for (const proxy of proxies) {
    const [address, bits] = proxy.split('/') as [string, string | undefined]
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address) => {
    const plain = address?.replace(/^::ffff:/, '')
    return plain !== undefined && list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
  }
}
