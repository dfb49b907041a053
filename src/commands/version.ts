import { readFileSync } from 'node:fs'

/** The gateway's own version. In the bundle it is a constant: `scripts/bundle.mjs` replaces this module. */
export function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
