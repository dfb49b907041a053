import { characterName, pathFault, PLAIN_PATH } from './resource-path.ts'

/**
 * The error of a request's target, as a sentence, or `undefined` when it can be forwarded byte for byte. The
 * path must be unambiguous, see {@link pathFault}; the query must be visible ASCII.
 *
 * @param target as received: path and query
 */
export function targetFault(target: string): string | undefined {
  if (PLAIN_TARGET.test(target)) return undefined
  if (target.charCodeAt(0) !== SLASH) {
    return 'The address must begin with a slash: send the path alone, without scheme and host.'
  }
  const odd = /[^\x21-\x7e]|#/.exec(target)
  if (odd !== null) return `The address holds ${characterName(odd[0])}: write it percent-encoded.`
  const queryStart = target.indexOf('?')
  const fault = pathFault(queryStart === -1 ? target : target.slice(0, queryStart))
  return fault === undefined ? undefined : `The address ${fault}.`
}

/** Most targets. `test/odata/resource-path.test.ts` compares it with the complete check. */
const PLAIN_TARGET = new RegExp(`^${PLAIN_PATH}(?:\\?[!-"$-~]*)?$`, 'i')

const SLASH = 0x2f
