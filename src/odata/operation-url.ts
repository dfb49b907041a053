import { MAX_BATCHED_ADDRESS_CHARACTERS } from './address-length.ts'
import { RefusedPart } from './batch-error.ts'
import { upstreamObjectLinks } from './object-links.ts'
import { requestQuery } from './request-query.ts'
import { pathFault } from './resource-path.ts'
import { upstreamPath, resourcePathOf } from './target-address.ts'
import type { UrlMap } from './url-map.ts'

/** The URL of an operation in a `$batch`. */
export interface OperationUrl {
  /** The URL to send to the target. */
  readonly url: string
  /** Raw, below the API root: `/accounts(1)/name`. A reference to another part is resolved as far as it can be. */
  readonly resourcePath: string
  /** Raw, without its question mark. */
  readonly query: string
}

/** What a URL is read with. */
export interface Dependencies {
  /** Resource paths of earlier parts by Content-ID. */
  readonly references: Pick<ReadonlyMap<string, string>, 'get'>
  /** The subject of error sentences: `Part 3 of the batch`. */
  readonly subject: string
}

/**
 * Reads the URL of an operation in any of the forms that callers write: absolute at the gateway, or at the target;
 * relative to the host; relative to the API root; or beginning with `$` and the Content-ID of an earlier part.
 *
 * @throws RefusedPart for URLs of other hosts, and paths that are ambiguous or outside the API
 */
export function operationUrl(map: UrlMap, url: string, { references, subject }: Dependencies): OperationUrl {
  if (url.length > MAX_BATCHED_ADDRESS_CHARACTERS)
    throw new RefusedPart(`${subject} has a URL of more than 65,536 characters.`)
  if (/[^\x20-\x7e\x80-\uffff]|#/.test(url)) {
    throw new RefusedPart(`${subject} has a URL with control characters or a fragment.`)
  }
  const [, writtenPath = '', question = '', rawQuery = ''] = /^([^?]*)(\??)(.*)$/s.exec(url)!
  const rawPath = upstreamObjectLinks(map, writtenPath)
  const query = requestQuery(map, rawQuery)

  const reference = /^\/?\$([^/?$]+)(\/.*)?$/s.exec(rawPath)
  const referenced = reference === null ? undefined : references.get(reference[1]!)
  const { origin, path } = referenced === undefined ? located(map, rawPath, subject) : { origin: '', path: rawPath }
  const resourcePath = referenced === undefined ? belowRoot(map, origin, path) : `${referenced}${reference?.[2] ?? ''}`
  if (resourcePath === undefined) throw new RefusedPart(`${subject} has a URL outside of the API.`)
  if (referenced !== undefined && resourcePath.length > MAX_RESOLVED_CHARACTERS) {
    throw new RefusedPart(`${subject} refers to a part so that its path has more than 2,048 characters.`)
  }
  // The path up to the API root can be ambiguous too, unless it is the configured root, byte for byte.
  const isConstant = referenced !== undefined || !path.startsWith('/') || path.startsWith(map.target.apiRoot)
  const fault = pathFault((isConstant ? resourcePath : path) || '/')
  if (fault !== undefined) throw new RefusedPart(`${subject} has a URL that ${fault}.`)
  const isRelative = map.target.batchUrls === 'relative' && referenced === undefined && /^\/[^/]/.test(resourcePath)
  return { url: (isRelative ? resourcePath.slice(1) : origin + path) + question + query, resourcePath, query }
}

/**
 * Longest path with resolved references, in characters: a short reference may stand for a long path, and parts may
 * refer to each other in a row.
 */
const MAX_RESOLVED_CHARACTERS = 2048

/** A path as it came when it is relative to the API root; otherwise one at the target, with an origin if it had one. */
function located(map: UrlMap, path: string, subject: string): { readonly origin: string; readonly path: string } {
  if (/^(?:[a-z][a-z\d+.-]*:|[/\\]{2})/i.test(path)) {
    const rewritten = map.upstream.rewrite(path)
    const url = rewritten === undefined ? path : rewritten.replacement + path.slice(rewritten.length)
    if (map.downstream.rewrite(url) === undefined) throw new RefusedPart(`${subject} has the URL of another host.`)
    const slash = url.indexOf('/', url.indexOf('//') + 2)
    return slash === -1 ? { origin: url, path: '' } : { origin: url.slice(0, slash), path: url.slice(slash) }
  }
  if (!path.startsWith('/')) return { origin: '', path }
  const base = map.basePaths.find((candidate) => path === candidate || path.startsWith(`${candidate}/`)) ?? ''
  return { origin: '', path: upstreamPath(map.target, path.slice(base.length)) }
}

function belowRoot(map: UrlMap, origin: string, path: string): string | undefined {
  return origin !== '' || path.startsWith('/') ? resourcePathOf(map.target, path) : `/${path}`
}
