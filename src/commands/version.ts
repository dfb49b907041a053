import { readFileSync } from 'node:fs'

/** Set by the bundler: the bundle has no package.json next to it. */
declare const GATEWAY_VERSION: string | undefined

/** The gateway's own version. */
export function version(): string {
  if (typeof GATEWAY_VERSION === 'string') return GATEWAY_VERSION
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
