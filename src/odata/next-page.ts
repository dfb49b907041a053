import { targetFault } from './request-target.ts'
import { resourcePathOf } from './target-address.ts'
import type { UrlMap } from './url-map.ts'

/**
 * The path and query at the target of the next page, byte for byte as `link` has them.
 *
 * @param path of the page before
 * @param link absolute, or relative to the API root
 * @returns `undefined` when it leads to another host or resource: the caller was not authorized to read that
 */
export function nextPagePath(map: UrlMap, path: string, link: string): string | undefined {
  const next = pathIn(map, path, link)
  if (next === undefined || targetFault(next) !== undefined) return undefined
  const resource = resourceIn(map, path)
  return resource !== undefined && resource === resourceIn(map, next) ? next : undefined
}

function pathIn({ target, downstream }: UrlMap, path: string, link: string): string | undefined {
  if (!/^[a-z][a-z\d+.-]*:|^[/\\]/i.test(link)) return `${target.ownPath.exec(path)?.[0] ?? ''}/${link}`
  if (downstream.rewrite(link) === undefined) return undefined
  const slash = link.indexOf('/', link.indexOf('//') + 2)
  return slash === -1 ? undefined : link.slice(slash)
}

/** The resource path, comparable: decoded, without a slash at its end. */
function resourceIn({ target }: UrlMap, path: string): string | undefined {
  const [below = ''] = path.split('?', 1)
  const resource = resourcePathOf(target, below)
  try {
    return resource === undefined ? undefined : decodeURIComponent(resource).replace(/\/$/, '')
  } catch {
    return undefined
  }
}
