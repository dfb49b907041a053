/** A request for a shell command. */
export interface CurlRequest {
  readonly method: string
  /** With scheme and host. */
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string | undefined
}

/**
 * The request as a `curl` command for any POSIX shell. Values are untrusted: each is quoted by {@link quoted}, and no
 * curl option can treat one as a file, a pattern or another option.
 */
export function curlLine({ method, url, headers, body }: CurlRequest): string {
  const words = [
    'curl',
    ...(method === 'GET' ? [] : method === 'HEAD' ? ['--head'] : ['--request', quoted(method)]),
    // `[`, `{` and dots in a URL are literal.
    '--globoff',
    '--path-as-is',
    '--url',
    quoted(url),
    ...headers.flatMap(([name, value]) => ['--header', quoted(`${name}: ${value}`)]),
    ...(body === undefined ? [] : ['--data-raw', quoted(body)]),
  ]
  return words.join(' ')
}

/**
 * A text as one word of a POSIX shell, in single quotes, where only the quote itself is special. Characters
 * that a terminal interprets when pasted become a question mark: no request needs them.
 */
export function quoted(text: string): string {
  // A line break is data within quotes; other control characters act like pressed keys.
  const plain = text.replace(/\r\n?/g, '\n').replace(/[^\P{C}\n]|[\u2028\u2029]/gu, '?')
  return `'${plain.replaceAll("'", `'\\''`)}'`
}
