/**
 * Whether a path is the address of a `$batch`, in any way that Dynamics may read it as one. Its operations are then
 * checked, rewritten and audited one by one.
 *
 * @param path raw, with or without its query, at the gateway, the target, or below the API root
 */
export function isBatch(path: string): boolean {
  const queryStart = path.indexOf('?')
  const end = queryStart === -1 ? path.length : queryStart
  // Hardly any other path ends in these.
  const last = path[end - 1]
  return (last === 'h' || last === 'H' || last === '/') && BATCH.test(path.slice(0, end))
}

const BATCH = /\/(?:\$|%24)batch\/?$/i
