import { badQuery } from './errors.ts'

/** Where a page starts. */
export interface PagePosition {
  readonly page: number
  /** Id of the last row of the previous page. */
  readonly last: string
}

/** The value of `$skiptoken` for the page after the row `last`, encoded twice as Dataverse does. */
export function skipToken(key: string, { page, last }: PagePosition): string {
  const cookie = `<cookie page="${page - 1}"><${key} last="{${last.toUpperCase()}}" /></cookie>`
  const once = encodeURIComponent(cookie).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())
  const outer = `<cookie pagenumber="${page}" pagingcookie="${once}" istracking="False" />`
  return encodeURIComponent(outer).replaceAll('%3D', '=').replaceAll('%2F', '/')
}

/**
 * Reads a `$skiptoken` from the raw query. Throws 400 unless it is, byte for byte, a token
 * that the emulator itself would write: clients and proxies must treat it as opaque.
 */
export function readSkipToken(raw: string, key: string): PagePosition {
  const position = decodedPosition(raw)
  if (position === undefined || skipToken(key, position) !== raw) {
    throw badQuery('Malformed XML in the Paging Cookie')
  }
  return position
}

function decodedPosition(raw: string): PagePosition | undefined {
  try {
    const text = decodeURIComponent(decodeURIComponent(raw))
    const page = Number(/pagenumber="(\d+)"/.exec(text)?.[1])
    const last = /last="\{([0-9A-Fa-f-]{36})\}"/.exec(text)?.[1]
    return Number.isInteger(page) && page > 1 && last !== undefined ? { page, last: last.toLowerCase() } : undefined
  } catch {
    return undefined
  }
}

/** The value of `$deltatoken` for changes after a version, such as `919042%2108%2f22%2f2017%2008%3a10%3a44`. */
export function deltaToken(version: bigint, at: Date): string {
  const [date = '', time = ''] = at.toISOString().split('T')
  const [year = '', month = '', day = ''] = date.split('-')
  const text = `${version}!${month}/${day}/${year} ${time.slice(0, 8)}`
  return encodeURIComponent(text)
    .replaceAll('!', '%21')
    .replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())
}

/** The version in a raw `$deltatoken`. Throws 400 unless the token has exactly the emulator's form. */
export function readDeltaToken(raw: string): bigint {
  const [, version] = /^(\d+)%21\d\d%2f\d\d%2f\d{4}%20\d\d%3a\d\d%3a\d\d$/.exec(raw) ?? []
  if (version === undefined) throw badQuery('Invalid delta token.')
  return BigInt(version)
}

/** The raw value of an option in a raw query, byte for byte. */
export function rawOption(query: string, name: string): string | undefined {
  const found = query.split('&').find((pair) => pair.startsWith(`${name}=`))
  return found?.slice(name.length + 1)
}

/** The raw query without the options `names`; the rest is unchanged, byte for byte. */
export function withoutOptions(query: string, ...names: readonly string[]): string {
  return query
    .split('&')
    .filter((pair) => pair !== '' && !names.some((name) => pair.startsWith(`${name}=`)))
    .join('&')
}

/** The raw query with an added option. */
export function withOption(query: string, name: string, value: string): string {
  return `${query === '' ? '' : `${query}&`}${name}=${value}`
}
