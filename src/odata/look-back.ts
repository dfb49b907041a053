import { isJsonSpace } from './json-characters.ts'

// Reads a text backwards beyond its start: negative positions count back into the text `before` it.

/** The character at `at`; `undefined` beyond. */
export function codeAt(text: string, before: string, at: number): number | undefined {
  if (at >= 0) return text.charCodeAt(at)
  return at + before.length < 0 ? undefined : before.charCodeAt(at + before.length)
}

/** The last position at or before `at` without JSON white space, but not before `floor`. */
export function beforeSpace(text: string, before: string, at: number, floor: number): number {
  while (at > floor && isJsonSpace(codeAt(text, before, at))) at--
  return at
}

/** The characters `from` … `to` (exclusive). */
export function stretch(text: string, before: string, from: number, to: number): string {
  if (from >= 0) return text.slice(from, to)
  return (before + text.slice(0, Math.max(to, 0))).slice(from + before.length, to + before.length)
}
