/**
 * What is wrong with a request's target, or `undefined` when it can be passed on byte for byte.
 *
 * Refused is what a server behind us may read differently than we do: in the path dot segments, backslashes and
 * slashes in disguise, `//host`, whole URLs, fragments, bytes outside of ASCII. Within a quoted key
 * everything is text, `%2F` and `..` too; only a whole segment `..` is refused there as well, because
 * a server that tidies paths knows nothing of OData's quotes.
 *
 * @param target as received: path and query
 */
export function targetFault(target: string): string | undefined {
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (PLAIN.test(target)) return nameFault(path, path)
  if (target.charCodeAt(0) !== SLASH) {
    return 'The address must begin with a slash: send the path alone, without scheme and host.'
  }
  const odd = /[^\x21-\x7e]|#|^[^?]*\\/.exec(target)
  if (odd !== null) return `The address holds ${nameOf(odd[0].at(-1)!)}: write it percent-encoded.`
  return pathFault(path)
}

const SLASH = 0x2f

/** Most addresses: no quotes, no escapes, no empty and no dot segments in the path. */
const PLAIN = /^(?:\/(?!\.{1,2}(?:[/?]|$))[\w$.,=@:~!*+&-]+(?:\([\w$.,=@:~!*+&-]*\))?)+(?:\?[\x21\x22\x24-\x7e]*)?$/

function pathFault(path: string): string | undefined {
  if (/\/(?:\.|%2e){1,2}(?:;[^/]*)?(?:\/|$)/i.test(path)) {
    return 'The address holds a dot segment: write the path that is meant.'
  }
  let quoted = false
  let depth = 0
  for (let at = 0; at < path.length; at += 1) {
    let code = path.charCodeAt(at)
    const escaped = code === 0x25
    if (escaped) {
      const digits = path.slice(at + 1, at + 3)
      if (!/^[0-9a-f]{2}$/i.test(digits)) {
        return 'The address holds a % that is not followed by two hexadecimal digits: write %25.'
      }
      code = Number.parseInt(digits, 16)
      at += 2
    }
    if (code < 0x20 || code === 0x7f) return 'The address holds a control character.'
    const character = String.fromCharCode(code)
    if (character === '\'') {
      if (depth === 0) return 'The address holds a quote outside of parentheses.'
      quoted = !quoted
    } else if (!quoted) {
      const fault = unquotedFault(character, escaped, path.charCodeAt(at + 1), depth)
      if (fault !== undefined) return fault
      if (character === '(') depth += 1
      if (character === ')') depth -= 1
      if (depth < 0) return 'The address closes a parenthesis that it did not open.'
    }
  }
  if (quoted || depth > 0) return 'The address leaves a quote or a parenthesis open.'
  const read = decoded(path)
  if (read === undefined) return 'The address is not UTF-8.'
  return nameFault(path, read.replace(/'[^']*'/g, ''))
}

/**
 * What is wrong with the names in a path.
 *
 * @param read the path, decoded, without what stands in quotes
 */
function nameFault(path: string, read: string): string | undefined {
  // Windows drops a dot at the end of a name.
  if (/\.(?:[/(]|$)/.test(read)) return 'The address holds a name that ends in a dot.'
  // Dynamics may take for a batch what the gateway would not look into.
  return /\$batch/i.test(read) && !/(?:\$|%24)batch\/?$/i.test(path)
    ? 'The address of a batch is $batch, with nothing behind it and no letter percent-encoded.'
    : undefined
}

/** What is wrong with a character of the path that stands outside of quotes. */
function unquotedFault(character: string, escaped: boolean, next: number, depth: number): string | undefined {
  if (character > '\x7f') return 'The address holds a name with letters that no name of the Web API has.'
  if (character === '/' && !escaped && depth === 0) {
    return next === SLASH ? 'The address holds two slashes in a row.' : undefined
  }
  if (character === ' ' && depth === 0) return 'The address holds a blank in a name.'
  if ((escaped && '/?#%'.includes(character)) || character === '/' || character === '\\' || character === ';') {
    return `The address holds ${nameOf(character)} outside of a quoted key.`
  }
  return undefined
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

function nameOf(character: string): string {
  switch (character) {
    case '#': return 'a # (a fragment is for browsers only)'
    case '\\': return 'a backslash'
    case '/': return 'a slash'
    case '%': return 'a percent sign'
    case '?': return 'a question mark'
    case ';': return 'a semicolon'
    default: return 'a character that is no visible ASCII'
  }
}
