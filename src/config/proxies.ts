import { BlockList, isIP } from 'node:net'
import { domainToASCII } from 'node:url'

import { SettingError } from './setting.ts'
import { unquoted } from './unquoted.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** The proxies of the network. */
export interface Proxies {
  /** Leads to `https://` addresses. */
  readonly https: Proxy | undefined
  /** Leads to `http://` addresses. */
  readonly http: Proxy | undefined
  /** Hosts that are reached without a proxy; one of these says yes. `host` is in lower case, without brackets. */
  readonly direct: readonly ((host: string, port: string) => boolean)[]
}

/** A proxy of which no print-out shows the password: that is in a closure. */
export interface Proxy {
  /** `http://proxy:3128` */
  readonly origin: string
  /** The value of `Proxy-Authorization`, if it wants one. */
  readonly authorization: () => string | undefined
}

/** No proxy leads anywhere. */
export const NO_PROXIES: Proxies = { https: undefined, http: undefined, direct: [] }

/** In the order in which they count. HTTP_PROXY stands in where nothing else is set for `https:`. */
const LEAD_TO_HTTPS = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'http_proxy', 'HTTP_PROXY']
const LEAD_TO_HTTP = ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY']
const EXCEPT = ['no_proxy', 'NO_PROXY']

/** Where a platform says how its managed identity is reached. */
const IDENTITY_ENDPOINTS = ['IDENTITY_ENDPOINT', 'IMDS_ENDPOINT', 'MSI_ENDPOINT', 'AZURE_POD_IDENTITY_AUTHORITY_HOST']

/** Every variable that this file reads a proxy from. */
export const PROXY_VARIABLES: readonly string[] = [...new Set([...LEAD_TO_HTTPS, ...EXCEPT])]

/**
 * Reads the proxy variables. As with curl, lower case counts before upper case. Adds what is wrong to `errors`, by
 * the variable's name and never by its value, which may hold a password.
 */
export function readProxies(variables: Variables, errors: string[]): Proxies {
  const read = <T>(names: readonly string[], parse: (text: string) => T, otherwise: T): T => {
    for (const name of names) {
      const text = unquoted(variables[name] ?? '')
      if (text === '') continue
      try {
        return parse(text)
      } catch (error) {
        if (!(error instanceof SettingError)) throw error
        const fault = `${name} ${error.message}`
        if (!errors.includes(fault)) errors.push(fault)
        return otherwise
      }
    }
    return otherwise
  }
  return {
    https: read<Proxy | undefined>(LEAD_TO_HTTPS, parseProxy, undefined),
    http: read<Proxy | undefined>(LEAD_TO_HTTP, parseProxy, undefined),
    direct: [...read(EXCEPT, parseExceptions, []), ...identityEndpoints(variables)],
  }
}

const HINT = 'write http://host:port, or http://name:password@host:port'
const ENCODE =
  'percent-encode every character of its name and password that is not a letter or a digit, ' +
  'such as %23 for #, %2F for /, %40 for @ and %25 for %'

function parseProxy(text: string): Proxy {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? []
  if (scheme !== undefined && !/^https?$/i.test(scheme)) {
    throw new SettingError(`names a proxy that is neither http:// nor https://: ${HINT}.`)
  }
  const complete = scheme === undefined ? `http://${text}` : text
  const url = /\s/.test(complete) || !URL.canParse(complete) ? undefined : new URL(complete)
  // What a `#`, `/` or `?` of a password cuts off would else be taken for a path, and the rest for the host.
  if (url === undefined || url.hostname === '' || url.pathname !== '/' || url.search + url.hash !== '') {
    throw new SettingError(`is not the address of a proxy: ${HINT}, and ${ENCODE}.`)
  }
  const authorization = authorizationOf(url)
  return { origin: url.origin, authorization: () => authorization }
}

function authorizationOf({ username, password }: URL): string | undefined {
  if (username + password === '') return undefined
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    return `Basic ${Buffer.from(credentials).toString('base64')}`
  } catch {
    throw new SettingError(`holds a % that begins no code: ${ENCODE}.`)
  }
}

function parseExceptions(text: string): Proxies['direct'] {
  return text
    .split(/[,\s]+/)
    .filter((entry) => entry !== '')
    .map(parseException)
}

/** `*`, a host or `.suffix` with or without a port, an address, or a network as address and length. */
function parseException(entry: string): Proxies['direct'][number] {
  if (entry === '*') return () => true
  const network = networkOf(entry)
  if (network !== undefined)
    return (host) => isIP(host) !== 0 && network.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6')
  const [, name = '', only] =
    isIP(entry) === 6 ? [entry, entry] : (/^(\[[0-9a-f:.]+\]|[^:[\]/@]+)(?::(\d{1,5}))?$/i.exec(entry) ?? [])
  const plain = name.replace(/^\[(.*)\]$/, '$1').replace(/^\*?\./, '')
  const suffix = isIP(plain) === 0 ? domainToASCII(plain) : plain.toLowerCase()
  if (suffix === '' || /[*<>]/.test(suffix)) {
    throw new SettingError(
      'holds something that names no host: write names, .suffixes, addresses or networks such as ' +
        '10.0.0.0/8, with or without :port, separated by commas.',
    )
  }
  return (host, port) => (only === undefined || only === port) && (host === suffix || host.endsWith(`.${suffix}`))
}

function networkOf(entry: string): BlockList | undefined {
  const [, address = '', length = ''] = /^\[?([0-9a-f:.]+)\]?\/(\d{1,3})$/i.exec(entry) ?? []
  const version = isIP(address)
  if (version === 0 || Number(length) > (version === 4 ? 32 : 128)) return undefined
  const network = new BlockList()
  network.addSubnet(address, Number(length), version === 4 ? 'ipv4' : 'ipv6')
  return network
}

function identityEndpoints(variables: Variables): Proxies['direct'] {
  return IDENTITY_ENDPOINTS.flatMap((name) => {
    const text = unquoted(variables[name] ?? '')
    if (!URL.canParse(text)) return []
    const { hostname } = new URL(text)
    const endpoint = hostname.replace(/^\[(.*)\]$/, '$1')
    return [(host: string) => host === endpoint]
  })
}
