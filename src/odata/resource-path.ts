/** One segment of a path that is safe. */
export interface PathSegment {
  /** Percent-decoded, up to the first parenthesis: ASCII, never empty. */
  readonly name: string
  /** Whether a key or parameters follow the name. */
  readonly hasParentheses: boolean
}

/**
 * Why a path must not be forwarded, as the rest of a sentence that starts with "The address"; `undefined` when it may.
 * The only rule for requests, for requests inside a `$batch`, and for the paths that rules are evaluated on.
 *
 * A path is unsafe if servers, proxies or libraries could read it differently: one that normalizes, decodes twice or
 * maps characters would reach another resource than the checked one. Names are ASCII, as all names of the Web API.
 * Within a quoted key everything is text, including `%2F` and `..`. Only a complete segment `..` is unsafe there too,
 * because a server that normalizes paths does not know OData's quotes.
 *
 * @param path raw, without the query: `/accounts(accountnumber='A%2FB')/name`
 */
export function pathFault(path: string): string | undefined {
  return PLAIN.test(path) ? undefined : read(path).fault
}

/**
 * The segments of a path, without an empty one for a trailing slash.
 *
 * @param path raw, without the query
 * @returns `undefined` when the path is unsafe
 */
export function pathSegments(path: string): readonly PathSegment[] | undefined {
  const { segments, fault } = read(path)
  return fault === undefined ? segments : undefined
}

/**
 * Most paths: without quotes, escapes, empty segments, names that end in a dot, and `$batch`. The source of a regular
 * expression with the flag `i`. `test/odata/resource-path.test.ts` compares it with the complete check.
 */
export const PLAIN_PATH = String.raw`(?![^?]*\$batch)(?:\/[\w$.,=@:~!*+&-]*[\w$,=@:~!*+&-](?:\([\w$.,=@:~!*+&-]*\))?)+\/?`

const PLAIN = new RegExp(`^${PLAIN_PATH}$`, 'i')

const NAME = /[\w$.,=@:~!*+&-]/

/** Characters that an unquoted value in parentheses cannot have. */
const NOT_A_VALUE = /[^\x20-\x7e]|[\\;%?#<>|/]/

interface Reading {
  readonly segments: readonly PathSegment[]
  readonly fault: string | undefined
}

function read(path: string): Reading {
  const segments: PathSegment[] = []
  const fault = path.startsWith('/') ? (outerFault(path) ?? scan(path, segments)) : 'does not begin with a slash'
  return { segments, fault }
}

/** The error of a path regardless of its quotes. */
function outerFault(path: string): string | undefined {
  const odd = /[^\x21-\x7e]|[\\#?]/.exec(path)
  if (odd !== null) return `holds ${characterName(odd[0])}: write it percent-encoded`
  if (DOT_SEGMENT.test(path)) return 'holds a dot segment (. or ..): write the path without it'
  if (!path.includes('%')) return undefined
  if (/%(?![\da-f]{2})/i.test(path)) {
    return 'holds a % that is not followed by two hexadecimal digits: write %25'
  }
  try {
    return /\p{Cc}/u.test(decodeURIComponent(path)) ? 'holds a control character' : undefined
  } catch {
    return 'is not UTF-8'
  }
}

/** Windows also removes three dots and more. */
const DOT_SEGMENT = /\/(?:\.|%2e)+(?:;[^/]*)?(?:\/|$)/i

/** Reads a path from left to right into `segments`. Returns its error. */
function scan(path: string, segments: PathSegment[]): string | undefined {
  let from = 1
  let name = ''
  let inParentheses = ''
  let depth = 0
  let isQuoted = false
  let isClosed = false

  for (let at = 1; at < path.length; at += 1) {
    let character = path[at]!
    const isEscaped = character === '%'
    if (isEscaped) {
      character = String.fromCharCode(Number.parseInt(path.slice(at + 1, at + 3), 16))
      at += 2
    }
    if (character === "'" && depth > 0) isQuoted = !isQuoted
    else if (isQuoted) continue
    else if (character === '(') {
      if (name === '') return 'holds a parenthesis without a name before it'
      depth += 1
      isClosed = true
    } else if (character === ')') {
      depth -= 1
      if (depth < 0) return 'closes a parenthesis that it did not open'
    } else if (depth > 0) {
      if (NOT_A_VALUE.test(character)) return `holds ${characterName(character)} outside of a quoted key`
      inParentheses += character
    } else if (character === '/' && !isEscaped) {
      const fault = end(at)
      if (fault !== undefined) return fault
    } else if (isClosed) return 'holds something behind a parenthesis that is closed'
    else if (NAME.test(character)) name += character
    else return `holds ${characterName(character)} in a name`
  }
  if (isQuoted || depth > 0) return 'leaves a quote or a parenthesis open'
  return path.length === from ? undefined : end(path.length)

  /** Ends a segment before the slash at `at`. Returns its error. */
  function end(at: number): string | undefined {
    if (name === '') return 'holds two slashes in a row'
    // Windows removes a trailing dot of a name.
    if (name.endsWith('.')) return 'holds a name that ends in a dot'
    // Dynamics may treat a path as a batch that the gateway would not parse.
    if (/\$batch/i.test(`${name}(${inParentheses}`) && !(BATCH.test(path.slice(from, at)) && at >= path.length - 1)) {
      return 'is not one of a batch, which is $batch, with nothing before or behind it and no letter percent-encoded'
    }
    segments.push({ name, hasParentheses: isClosed })
    from = at + 1
    name = inParentheses = ''
    isClosed = false
    return undefined
  }
}

const BATCH = /^(?:\$|%24)batch$/i

/** The name of a character for messages. */
export function characterName(character: string): string {
  switch (character) {
    case '#':
      return 'a # (a fragment is for browsers only)'
    case '\\':
      return 'a backslash'
    case '/':
      return 'a slash'
    case '%':
      return 'a percent sign'
    case '?':
      return 'a question mark'
    case ';':
      return 'a semicolon'
    case ' ':
      return 'a blank'
    case "'":
      return 'a quote'
    default:
      return /[!-~]/.test(character) ? `the character ${character}` : 'a character that is not visible ASCII'
  }
}
