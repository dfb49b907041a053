/**
 * Whether a path is the address of a `$batch`, in any way that Dynamics may read it as one. Its operations are then
 * checked, rewritten and audited one by one.
 *
 * @param path raw, with or without its query, at the gateway, the target, or below the API root
 */
export function isBatch(path: string): boolean {
  const queryStart = path.indexOf('?')
  return BATCH.test(queryStart === -1 ? path : path.slice(0, queryStart))
}

const BATCH = /\/(?:\$|%24)batch\/?$/i
