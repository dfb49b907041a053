/** A request as a line for a shell. */
export interface CurlRequest {
  readonly method: string
  /** With scheme and host. */
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string | undefined
}

/**
 * The request as a `curl` line for any POSIX shell. Values come from others: each is quoted by {@link quoted}, and no
 * option of curl's takes one for a file, a pattern or another option.
 */
export function curlLine({ method, url, headers, body }: CurlRequest): string {
  const words = [
    'curl',
    ...(method === 'GET' ? [] : method === 'HEAD' ? ['--head'] : ['--request', quoted(method)]),
    // `[`, `{` and dots in a URL are the URL's.
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
 * A text as one word of a POSIX shell: in single quotes, where nothing has a meaning but the quote itself. Characters
 * that a terminal obeys when they are pasted become a question mark: no request of ours needs them.
 */
export function quoted(text: string): string {
  // A line break is data to a shell within quotes; all else below a space is a key that somebody presses.
  const plain = text.replace(/\r\n?/g, '\n').replace(/[^\P{C}\n]|[\u2028\u2029]/gu, '?')
  return `'${plain.replaceAll("'", `'\\''`)}'`
}
