import type { Proxies, Proxy } from '../config/proxies.ts'
import { isLoopbackAddress, isLoopbackHost } from '../odata/loopback.ts'

/** The parts of an address that determine its proxy. */
export interface Destination {
  readonly protocol: string
  readonly hostname: string
  readonly port: string
}

/** The proxy for an address, or `undefined` if it is reached directly. */
export function proxyFor({ protocol, hostname, port }: Destination, proxies: Proxies): Proxy | undefined {
  const proxy = protocol === 'https:' ? proxies.https : proxies.http
  if (proxy === undefined) return undefined
  const host = hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  if (isOnThisMachine(host)) return undefined
  const number = port || (protocol === 'https:' ? '443' : '80')
  return proxies.direct.some((covers) => covers(host, number)) ? undefined : proxy
}

/**
 * Whether requests to `host` must not use a proxy: a proxy cannot reach loopback and link-local addresses, and must not
 * see requests to the managed identity of this machine.
 */
function isOnThisMachine(host: string): boolean {
  return (
    isLoopbackHost(host) ||
    isLoopbackAddress(host) ||
    host.endsWith('.localhost') ||
    LINK_LOCAL_OR_UNSPECIFIED.test(host)
  )
}

/** 169.254.0.0/16, fe80::/10 and the unspecified addresses, and IPv4-mapped ones. */
const LINK_LOCAL_OR_UNSPECIFIED = /^(?:169\.254\.|fe[89ab][0-9a-f]:|0\.0\.0\.0$|::$|::ffff:(?:7f[0-9a-f]{2}|a9fe|0):)/
