/**
 * The value of a header that names the user; `undefined` if the request does not have it.
 *
 * It is read from the raw headers, because Node joins repeated headers, and because a `Connection` header must not be
 * able to remove it.
 *
 * @param name the name of the header, in lower case
 * @param Fault the error for a header that is repeated, or whose name has underscores
 */
export function soleHeader(
  rawHeaders: readonly string[],
  name: string,
  Fault: new (name: string, what: string) => Error,
): string | undefined {
  let found: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index]!
    if (candidate.length !== name.length || candidate.toLowerCase().replaceAll('_', '-') !== name) continue
    if (candidate.includes('_')) throw new Fault(name, 'its name must be written with dashes')
    if (found !== undefined) throw new Fault(name, 'it is sent more than once')
    found = rawHeaders[index + 1]!
  }
  return found
}
