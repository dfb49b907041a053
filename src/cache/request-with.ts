import type { OutboundRequest } from '../dynamics/send.ts'

/**
 * `request` with one of its headers set to `value`.
 *
 * @param name in lower case
 */
export function requestWith(request: OutboundRequest, name: string, value: string): OutboundRequest {
  const headers: string[] = []
  for (let index = 0; index < request.headers.length; index += 2) {
    const other = request.headers[index]!
    if (!isNamed(other, name)) headers.push(other, request.headers[index + 1]!)
  }
  headers.push(name, value)
  return { ...request, headers }
}

/** The value of a request header. Several lines are joined by commas; `undefined` if it is absent. */
export function requestHeader({ headers }: Pick<OutboundRequest, 'headers'>, name: string): string | undefined {
  let found: string | undefined
  for (let index = 0; index < headers.length; index += 2) {
    if (!isNamed(headers[index]!, name)) continue
    found = found === undefined ? headers[index + 1]! : `${found}, ${headers[index + 1]!}`
  }
  return found
}

/** @param name in lower case */
function isNamed(header: string, name: string): boolean {
  return header.length === name.length && header.toLowerCase() === name
}
