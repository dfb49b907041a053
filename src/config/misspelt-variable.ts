import { closestWord } from './closest-word.ts'
import { normalized } from './normalized-name.ts'

/**
 * The variable of `known` that `name` most likely misspells; `undefined` if `name` is one of them or resembles none.
 * This is the only place that decides what resembles a variable: case and punctuation do not count, the first letter is
 * right, and the longer the known name, the more letters may differ, because a short name may be another program's.
 */
export function misspeltVariable(name: string, known: ReadonlySet<string>): string | undefined {
  if (known.has(name)) return undefined
  const letters = normalized(name)
  const similar = [...known].filter((variable) => isSimilar(letters, normalized(variable)))
  return closestWord(letters, similar.map(normalized), MAX_TYPOS, similar)
}

/** Letters that may differ from a name of 13 letters or more: IMPERSONATE is found, WEB_CONCURRENCY is not. */
const MAX_TYPOS = 3

function isSimilar(letters: string, known: string): boolean {
  const maxTypos = known.length <= 8 ? 1 : known.length <= 12 ? 2 : MAX_TYPOS
  if (letters[0] !== known[0] || Math.abs(known.length - letters.length) > maxTypos) return false
  return closestWord(letters, [known], maxTypos) !== undefined
}
