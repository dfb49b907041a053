import { downstreamUrl, type UrlMap } from './url-map.ts'

/** Is told the host of a link that was kept back. The far end wrote it, so it is shortened and stripped. */
export type OnForeign = (host: string) => void

/**
 * The value of the header `name`, in lower case, as the caller is to see it: links to the target lead to the gateway.
 * A client may follow a link with its key, so none goes on that leads to a host which is neither the target's nor one
 * where its product keeps files.
 *
 * @returns `undefined` when the header must not go on
 */
export function headerOutward(map: UrlMap, name: string, value: string, foreign: OnForeign): string | undefined {
  if (name !== 'link') return linkOutward(map, value, foreign)
  let kept = true
  const links = value.replaceAll(/<([^>]*)/g, (_, url: string) => {
    const link = linkOutward(map, url, foreign)
    kept &&= link !== undefined
    return `<${link ?? ''}`
  })
  return kept ? links : undefined
}

/** The same for one URL. */
export function linkOutward(map: UrlMap, url: string, foreign: OnForeign): string | undefined {
  const turned = downstreamUrl(map, url)
  if (turned !== url) return turned
  // Browsers leave out blanks and control characters, and take a backslash for a slash.
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
 * Where Dataverse, Finance & Operations and Business Central keep files: they hand out links to Azure Blob Storage that
 * are signed for a short time, and take no key of a caller's.
 *
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/getfilesasurl
 */
const FILE_HOSTS =
  /^[a-z\d-]+\.(?:z\d+\.blob\.storage\.azure\.net|blob\.core\.(?:windows\.net|usgovcloudapi\.net|chinacloudapi\.cn))$/i

/** The host at the beginning of `text`, without a password before it, and fit for a log. */
function hostIn(text: string): string {
  const authority = text.slice(0, 255).split(/[/\\?#]/, 1)[0]!
  return authority.slice(authority.lastIndexOf('@') + 1).replaceAll(/[^\w.:[\]-]/g, '?')
}
