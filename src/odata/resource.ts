import { upstreamPath, resourcePathOf } from './target-address.ts'
import type { TargetAddress } from './target-address.ts'

/** The resource and query of a request. */
export interface Resource {
  /** Raw, below the API root, with its first slash. */
  readonly resourcePath: string
  /** Raw, with its question mark, or empty. */
  readonly query: string
}

/**
 * The resource and query of a request.
 *
 * @param written path and query, below the target's prefix
 */
export function resourceOf(address: TargetAddress, written: string): Resource {
  const queryStart = written.indexOf('?')
  const path = queryStart === -1 ? written : written.slice(0, queryStart)
  const query = queryStart === -1 ? '' : written.slice(queryStart)
  // Images are served outside the API, for all entity sets.
  if (path.startsWith('/Image/')) return { resourcePath: '/$image', query }
  // A rewritten path is below the API root.
  return { resourcePath: resourcePathOf(address, upstreamPath(address, path))!, query }
}
