import type { UrlMap } from './url-map.ts'

/**
 * Turns the gateway's own URL in the `$id` of a raw query into one of the target, as in `DELETE …/$ref?$id=…`.
 * Percent-encoded or not, it stays as it was written; every other byte of the query stays as it is.
 *
 * @param query with or without its question mark
 */
export function idQueryInward(map: UrlMap, query: string): string {
  if (!/[$4]id=/i.test(query)) return query
  return query.replace(ID, (_, name: string, value: string) => name + valueInward(map, value))
}

const ID = /(?<=^\??|&)((?:\$|%24)id=)([^&]*)/g

function valueInward(map: UrlMap, value: string): string {
  const found = map.inward.rewrite(decoded(value))
  if (found === undefined) return value
  let taken = 0
  for (let characters = found.taken; characters > 0; characters--) taken += value[taken] === '%' ? 3 : 1
  const put = value.slice(0, taken).includes('%') ? encodeURIComponent(found.put) : found.put
  return put + value.slice(taken)
}

/** Character by character, so that a broken code further on does not matter. */
function decoded(value: string): string {
  return value.replace(/%([2-7][\da-f])/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}
