import { readFileSync } from 'node:fs'

/** A file of `src/observe/assets/`, for browsers. The bundle includes them: `scripts/bundle.mjs` replaces this module. */
export function asset(name: string): string {
  // Compiled to dist/src/observe/, next to the sources.
  return readFileSync(new URL(`../../../src/observe/assets/${name}`, import.meta.url), 'utf8')
}
