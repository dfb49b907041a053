import { readFileSync } from 'node:fs'

/** Set by the bundler: the bundle stands alone, without files of ours beside it. */
declare const GATEWAY_ASSETS: Readonly<Record<string, string>> | undefined

/** A file of `src/observe/assets/`, which a browser loads. */
export function asset(name: string): string {
  if (typeof GATEWAY_ASSETS === 'object') return GATEWAY_ASSETS[name]!
  // Compiled to dist/src/observe/, beside the sources.
  return readFileSync(new URL(`../../../src/observe/assets/${name}`, import.meta.url), 'utf8')
}
