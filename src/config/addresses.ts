import { isIP } from 'node:net'
import { platform } from 'node:os'

import { isMicrosoftsAuthority } from './authority-hosts.ts'
import { SettingError } from './setting.ts'

/** The longest path of a socket, in bytes: the size of `sun_path` minus the terminating NUL. */
export function maxSocketPathBytes(system: NodeJS.Platform): number {
  return system === 'linux' ? 107 : 103
}

const MAX_SOCKET_PATH_BYTES = maxSocketPathBytes(platform())

/** Where to listen: an IP address, a name, or `unix:` and an absolute path. */
export function listenAddress(text: string): string {
  if (text.startsWith('unix:/') && Buffer.byteLength(text.slice('unix:'.length)) > MAX_SOCKET_PATH_BYTES) {
    throw new SettingError(
      `names a socket whose path is longer than ${MAX_SOCKET_PATH_BYTES} bytes, more than the system takes: ` +
        'write a shorter path, such as unix:/run/gateway.sock.',
    )
  }
  const known =
    /^unix:\/.+/.test(text) ||
    isIP(text.replace(/^\[(.+)\]$/, '$1')) !== 0 ||
    /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(text)
  if (!known)
    throw new SettingError('is not an address: write 127.0.0.1, 0.0.0.0, or unix:/path.sock; a port goes into PORT.')
  return text
}

/** An IP address, or a network in CIDR notation. */
export function network(text: string): string {
  const [, address = '', length = '0'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  if (isIP(address) === 0 || Number(length) > (isIP(address) === 4 ? 32 : 128)) {
    throw new SettingError('holds something that is not an address: write addresses such as 10.0.0.7 or 10.0.0.0/8.')
  }
  return text
}

/** An origin as browsers send it, in lower case. */
export function origin(text: string): string {
  if (text.includes('*')) throw new SettingError('holds a *, but wildcards are not supported: write each origin.')
  if (!URL.canParse(text) || new URL(text).origin !== text.toLowerCase()) {
    throw new SettingError('holds something that is not an origin: write origins such as https://app.contoso.com.')
  }
  return text.toLowerCase()
}

/** The URL of an authority, without a trailing slash. */
export function authority(text: string): string {
  const write = 'write an origin such as https://login.microsoftonline.com'
  const url = parse(/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`)
  if (url?.protocol !== 'https:') throw new SettingError(`is not an https:// address: ${write}.`)
  // People copy it together with the tenant. A private authority may have a path of its own.
  return isMicrosoftsAuthority(url.hostname) ? url.origin : withoutSlash(url)
}

/** The gateway's own URL, without a trailing slash. */
export function publicUrl(text: string): string {
  const url = parse(text)
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname.includes('*')) {
    throw new SettingError('is not a URL: write a URL such as https://dynamics.contoso.com.')
  }
  return withoutSlash(url)
}

/** A URL without user name, password, query and fragment, which must not appear in logs and links. */
function parse(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url === undefined || url.username + url.password + url.search + url.hash !== '' ? undefined : url
}

function withoutSlash({ origin, pathname }: URL): string {
  return `${origin}${pathname.replace(/\/+$/, '')}`
}
