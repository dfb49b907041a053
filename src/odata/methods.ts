/** The methods of the Web API, in the order in which they are listed for people. */
export const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']

/** The same as the header `Allow` has them. */
export const ALLOW = METHODS.join(', ')

/** Whether a method only reads. In upper case, as HTTP writes methods. */
export function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

/**
 * Whether a header asks a server to take the request for one of another method, past the rules on methods. Dynamics
 * follows the first; frameworks know the others.
 *
 * @param letters of the header's name, as `headerLetters` gives them
 */
export function isMethodOverride(letters: string): boolean {
  return letters === 'xhttpmethod' || letters === 'xhttpmethodoverride' || letters === 'xmethodoverride'
}

/** Whether a request inside a `$batch` may have this method, in any letter case. */
export function isPartMethod(method: string): boolean {
  const upper = method.toUpperCase()
  return upper !== 'OPTIONS' && METHODS.includes(upper)
}
