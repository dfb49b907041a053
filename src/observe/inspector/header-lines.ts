import type { ReachedTarget } from '../explain-request.ts'
import type { HeaderLine } from './record.ts'

/** The raw names of headers. */
export function namesOf(flat: readonly (string | Buffer)[]): string[] {
  const names: string[] = []
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index]!
    names.push((typeof name === 'string' ? name : name.toString('latin1')).slice(0, MAX_NAME_CHARACTERS))
  }
  return names
}

const MAX_NAME_CHARACTERS = 100
const MAX_VALUE_CHARACTERS = 1000

/** Headers with harmless values, which never contain an identity or a secret. */
const SHOWN_HEADERS =
  /^(?:accept|accept-language|content-type|prefer|odata-(?:max)?version|if-(?:none-)?match|consistency|callerobjectid|mscrmcaller(?:object)?id|mscrm\.[\w.-]+)$/i

/** The headers whose values are shown, among them those that name the user. */
export function shownHeaders(rawHeaders: readonly string[], reached: ReachedTarget | undefined): HeaderLine[] {
  const lines: HeaderLine[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!
    const { header, idHeader } = reached?.target.impersonation ?? {}
    if (SHOWN_HEADERS.test(name) || [header, idHeader].includes(name.toLowerCase())) {
      lines.push([name, rawHeaders[index + 1]!.slice(0, MAX_VALUE_CHARACTERS)])
    }
  }
  return lines
}
