import { BlockList, isIP } from 'node:net'
import { domainToASCII } from 'node:url'

import { rethrowUnless } from '../logging/rethrow-unless.ts'
import { SettingError } from './setting.ts'
import { unquoted } from './unquoted.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** The proxies of the network. */
export interface Proxies {
  /** For `https://` addresses. */
  readonly https: Proxy | undefined
  /** For `http://` addresses. */
  readonly http: Proxy | undefined
  /** A host is reached directly when one of these returns true. `host` is in lower case, without brackets. */
  readonly direct: readonly ((host: string, port: string) => boolean)[]
}

/** A proxy. Its password is in a closure, so that no output of the settings shows it. */
export interface Proxy {
  /** `http://proxy:3128` */
  readonly origin: string
  /** The value of `Proxy-Authorization`, if the proxy needs one. */
  readonly authorization: () => string | undefined
}

/** All hosts are reached directly. */
export const NO_PROXIES: Proxies = { https: undefined, http: undefined, direct: [] }

/** Variables for `https:` in the order of precedence. HTTP_PROXY applies when no other one is set. */
const HTTPS_PROXY_VARIABLES = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'http_proxy', 'HTTP_PROXY']
const HTTP_PROXY_VARIABLES = ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY']
const NO_PROXY_VARIABLES = ['no_proxy', 'NO_PROXY']

/** Variables with the endpoint of the platform's managed identity. */
const IDENTITY_ENDPOINTS = ['IDENTITY_ENDPOINT', 'IMDS_ENDPOINT', 'MSI_ENDPOINT', 'AZURE_POD_IDENTITY_AUTHORITY_HOST']

/** Every variable that a proxy is read from. */
export const PROXY_VARIABLES: readonly string[] = [...new Set([...HTTPS_PROXY_VARIABLES, ...NO_PROXY_VARIABLES])]

/**
 * Reads the proxy variables. As with curl, lower case takes precedence. Adds errors to `errors`, with
 * the name of the variable and never its value, which may hold a password.
 */
export function readProxies(variables: Variables, errors: string[]): Proxies {
  const read = <T>(names: readonly string[], parse: (text: string) => T, otherwise: T): T => {
    for (const name of names) {
      const text = unquoted(variables[name] ?? '')
      if (text === '') continue
      try {
        return parse(text)
      } catch (error) {
        rethrowUnless(error, SettingError)
        const fault = `${name} ${error.message}`
        if (!errors.includes(fault)) errors.push(fault)
        return otherwise
      }
    }
    return otherwise
  }
  return {
    https: read<Proxy | undefined>(HTTPS_PROXY_VARIABLES, parseProxy, undefined),
    http: read<Proxy | undefined>(HTTP_PROXY_VARIABLES, parseProxy, undefined),
    direct: [...read(NO_PROXY_VARIABLES, parseExceptions, []), ...identityEndpoints(variables)],
  }
}

const PROXY_HINT = 'write http://host:port, or http://name:password@host:port'
const ENCODE_HINT =
  'percent-encode every character of its name and password that is not a letter or a digit, ' +
  'such as %23 for #, %2F for /, %40 for @ and %25 for %'

function parseProxy(text: string): Proxy {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? []
  if (scheme !== undefined && !/^https?$/i.test(scheme)) {
    throw new SettingError(`names a proxy that is neither http:// nor https://: ${PROXY_HINT}.`)
  }
  const complete = scheme === undefined ? `http://${text}` : text
  const url = /\s/.test(complete) || !URL.canParse(complete) ? undefined : new URL(complete)
  // A `#`, `/` or `?` in a password would end the authority part, and the URL would have the wrong host.
  if (url === undefined || url.hostname === '' || url.pathname !== '/' || url.search + url.hash !== '') {
    throw new SettingError(`is not the address of a proxy: ${PROXY_HINT}, and ${ENCODE_HINT}.`)
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
    throw new SettingError(`holds a % that begins no code: ${ENCODE_HINT}.`)
  }
}

function parseExceptions(text: string): Proxies['direct'] {
  return text
    .split(/[,\s]+/)
    .filter((entry) => entry !== '')
    .map(parseException)
}

/** `*`, a host or `.suffix` with or without a port, an address, or a network in CIDR notation. */
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
      'holds something that is not a host: write names, .suffixes, addresses or networks such as ' +
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
