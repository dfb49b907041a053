import { readFileSync } from 'node:fs'

/** Set by the bundler: the bundle includes our files. */
declare const GATEWAY_ASSETS: Readonly<Record<string, string>> | undefined

/** A file of `src/observe/assets/`, for browsers. */
export function asset(name: string): string {
  if (typeof GATEWAY_ASSETS === 'object') return GATEWAY_ASSETS[name]!
  // Compiled to dist/src/observe/, next to the sources.
  return readFileSync(new URL(`../../../src/observe/assets/${name}`, import.meta.url), 'utf8')
}
