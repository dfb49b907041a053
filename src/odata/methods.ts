/** The methods of the Web API, in the order for messages. */
export const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']

/** Whether a method (in upper case) only reads. */
export function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

/**
 * Whether a header overrides the request's method, which would bypass the rules on methods. Dynamics
 * supports the first one, frameworks the others.
 *
 * @param letters of the header's name, from `headerLetters`
 */
export function isMethodOverride(letters: string): boolean {
  return letters === 'xhttpmethod' || letters === 'xhttpmethodoverride' || letters === 'xmethodoverride'
}

/** Whether a request inside a `$batch` may have this method, in any letter case. */
export function isPartMethod(method: string): boolean {
  const upper = method.toUpperCase()
  return upper !== 'OPTIONS' && METHODS.includes(upper)
}
