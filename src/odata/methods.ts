/** The methods of the Web API, in the order in which they are listed for people. */
export const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']

/** The same as the header `Allow` has them. */
export const ALLOW = METHODS.join(', ')

/** Whether a method only reads. In upper case, as HTTP writes methods. */
export function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

/** Whether a request inside a `$batch` may have this method, in any letter case. */
export function isPartMethod(method: string): boolean {
  const upper = method.toUpperCase()
  return upper !== 'OPTIONS' && METHODS.includes(upper)
}
