import { SettingError } from './setting.ts'

/** A name or an address in brackets, without an empty label, and perhaps a port. */
const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)(?::(\d{1,5}))?$/i

const MAX_PORT = 65_535

/** A name of the gateway, as the header `Host` has it. */
export function hostName(text: string): string {
  const match = HOST.exec(text)
  if (match === null || Number(match[1] ?? 0) > MAX_PORT) {
    throw new SettingError('holds something that is not a host name: write names such as gateway.contoso.com.')
  }
  return text
}
