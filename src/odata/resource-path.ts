/** One segment of a path that is safe. */
export interface PathSegment {
  /** Percent-decoded, up to the first parenthesis: ASCII, never empty. */
  readonly name: string
  /** Whether a key or parameters follow the name. */
  readonly hasParentheses: boolean
}

/**
 * Why a path must not be sent on, as the rest of a sentence that begins with "The address"; `undefined` when it may.
 * The one rule for a request, for a request inside a `$batch`, and for what a caller's rules are held against.
 *
 * A path that some server, proxy or library could read in two ways is unsafe: one that tidies, decodes twice or maps
 * characters would reach another resource than the one that was judged. Names are ASCII, as all names of the Web API.
 * Within a quoted key everything is text, `%2F` and `..` too; only a complete segment `..` is unsafe there as well,
 * because a server that tidies paths knows nothing of OData's quotes.
 *
 * @param path raw, without the query: `/accounts(accountnumber='A%2FB')/name`
 */
export function pathFault(path: string): string | undefined {
  return PLAIN.test(path) && !/\$batch/i.test(path) ? undefined : read(path).fault
}

/**
 * The segments of a path; that of a slash at the end is left out.
 *
 * @param path raw, without the query
 * @returns `undefined` when the path is unsafe
 */
export function pathSegments(path: string): readonly PathSegment[] | undefined {
  const { segments, fault } = read(path)
  return fault === undefined ? segments : undefined
}

/** Most paths: no quotes, no escapes, no empty segments, no name that ends in a dot. */
const PLAIN = /^(?:\/[\w$.,=@:~!*+&-]*[\w$,=@:~!*+&-](?:\([\w$.,=@:~!*+&-]*\))?)+\/?$/

const NAME = /[\w$.,=@:~!*+&-]/

/** What no unquoted value in parentheses holds. */
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

/** What is wrong with a path whatever its quotes mean. */
function outerFault(path: string): string | undefined {
  const odd = /[^\x21-\x7e]|[\\#?]/.exec(path)
  if (odd !== null) return `holds ${nameOf(odd[0])}: write it percent-encoded`
  if (DOT_SEGMENT.test(path)) return 'holds a dot segment: write the path that is meant'
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

/** Windows tidies three dots and more away, too. */
const DOT_SEGMENT = /\/(?:\.|%2e)+(?:;[^/]*)?(?:\/|$)/i

/** Reads a path from left to right into `segments`; what is wrong with it. */
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
      if (NOT_A_VALUE.test(character)) return `holds ${nameOf(character)} outside of a quoted key`
      inParentheses += character
    } else if (character === '/' && !isEscaped) {
      const fault = end(at)
      if (fault !== undefined) return fault
    } else if (isClosed) return 'holds something behind a parenthesis that is closed'
    else if (NAME.test(character)) name += character
    else return `holds ${nameOf(character)} in a name`
  }
  if (isQuoted || depth > 0) return 'leaves a quote or a parenthesis open'
  return path.length === from ? undefined : end(path.length)

  /** Ends a segment before the slash at `at`; what is wrong with it. */
  function end(at: number): string | undefined {
    if (name === '') return 'holds two slashes in a row'
    // Windows drops a dot at the end of a name.
    if (name.endsWith('.')) return 'holds a name that ends in a dot'
    // Dynamics may take for a batch what the gateway would not look into.
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

/** Names a character for a sentence. */
export function nameOf(character: string): string {
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
