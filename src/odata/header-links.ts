import { downstreamUrl, type UrlMap } from './url-map.ts'

/** Called with the host of a removed link. The host comes from the response, so it is shortened and sanitized. */
export type OnForeign = (host: string) => void

/**
 * The value of the response header `name` (in lower case) for the caller: links to the target are rewritten.
 * A client may send its key along with a link, so links to hosts other than the target's or its product's file
 * storage are not forwarded.
 *
 * @returns `undefined` when the header must not be forwarded
 */
export function downstreamHeader(map: UrlMap, name: string, value: string, foreign: OnForeign): string | undefined {
  if (name !== 'link') return downstreamLink(map, value, foreign)
  let isSafe = true
  const links = value.replaceAll(/<([^>]*)/g, (_, url: string) => {
    const link = downstreamLink(map, url, foreign)
    isSafe &&= link !== undefined
    return `<${link ?? ''}`
  })
  return isSafe ? links : undefined
}

/** The same for one URL. */
export function downstreamLink(map: UrlMap, url: string, foreign: OnForeign): string | undefined {
  const rewritten = downstreamUrl(map, url)
  if (rewritten !== url) return rewritten
  // Browsers ignore blanks and control characters, and treat a backslash as a slash.
  const bare = url.replaceAll(/[^!-~\u0080-\uffff]/g, '')
  const absolute = ABSOLUTE.exec(bare)?.[0]
  if (absolute === undefined) return url
  const host = FILES.exec(url)?.[1]
  if (host !== undefined && FILE_HOSTS.test(host)) return url
  foreign(hostIn(bare.slice(absolute.length)))
  return undefined
}

/** A scheme, or the two slashes before a host. */
const ABSOLUTE = /^(?:[a-z][a-z\d+.-]*:[/\\]*|[/\\]{2,})/i

const FILES = /^https:\/\/([a-z\d.-]+)(?=[/?#]|$)/i

/**
 * The file storage of Dataverse, Finance & Operations and Business Central: links to Azure Blob Storage that
 * are signed for a short time, and do not accept a caller's key.
 *
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/getfilesasurl
 */
const FILE_HOSTS =
  /^[a-z\d-]+\.(?:z\d+\.blob\.storage\.azure\.net|blob\.core\.(?:windows\.net|usgovcloudapi\.net|chinacloudapi\.cn))$/i

/** The host at the start of `text`, without a password, sanitized for a log. */
function hostIn(text: string): string {
  const authority = text.slice(0, 255).split(/[/\\?#]/, 1)[0]!
  return authority.slice(authority.lastIndexOf('@') + 1).replaceAll(/[^\w.:[\]-]/g, '?')
}
