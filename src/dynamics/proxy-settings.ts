/**
 * The proxy of the network that leads to a host, or `undefined` where there is none.
 *
 * As curl and Node do: small letters count before capitals; NO_PROXY lists hosts, `.suffixes` and `host:port`,
 * separated by commas or blanks, and `*` for all. HTTP_PROXY stands in where HTTPS_PROXY is not set.
 */
export function proxyFor(
  { protocol, hostname, port }: { readonly protocol: string, readonly hostname: string, readonly port: string },
  environment: Readonly<Record<string, string | undefined>>,
): URL | undefined {
  // Where a machine's own managed identity answers; no proxy can reach it.
  if (hostname.startsWith('169.254.')) return undefined
  const plain = environment['http_proxy'] ?? environment['HTTP_PROXY']
  const proxy = protocol === 'https:' ? environment['https_proxy'] || environment['HTTPS_PROXY'] || plain : plain
  if (proxy === undefined || proxy === '') return undefined
  const except = environment['no_proxy'] || environment['NO_PROXY'] || ''
  const number = port || (protocol === 'https:' ? '443' : '80')
  const host = hostname.toLowerCase()
  if (except.toLowerCase().split(/[,\s]+/).some((entry) => covers(entry, host, number))) return undefined
  return new URL(proxy.includes('://') ? proxy : `http://${proxy}`)
}

function covers(entry: string, hostname: string, port: string): boolean {
  if (entry === '') return false
  if (entry === '*') return true
  const [, host = entry, only] = /^(.+):(\d+)$/.exec(entry) ?? []
  if (only !== undefined && only !== port) return false
  const suffix = host.replace(/^\*?\./, '')
  return hostname === suffix || hostname.endsWith(`.${suffix}`)
}
