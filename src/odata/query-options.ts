/** The name of an option and its value, both decoded. */
export interface QueryOption {
  readonly name: string
  readonly value: string
}

/**
 * The options of a raw query, decoded as a form is: once, and `+` is a blank.
 *
 * @param query with or without its question mark
 * @returns `undefined` when a percent code is broken or not UTF-8
 */
export function queryOptions(query: string): readonly QueryOption[] | undefined {
  try {
    return query.replace(/^\?/, '').split('&').filter((part) => part !== '').map((part) => {
      const [name = '', ...value] = part.split('=')
      return { name: decoded(name), value: decoded(value.join('=')) }
    })
  } catch {
    return undefined
  }
}

function decoded(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}
