import { trimBlanks } from './header-fields.ts'

/** A multipart body that is being read: the batch, or a change set in it. */
export interface Level {
  /** What its delimiters begin with. */
  readonly dashes: string
  /** Whether its first delimiter is written. */
  begun: boolean
  /** Whether something was left out. */
  skipped: boolean
}

/** A delimiter of the innermost level, 0, or of one further out. */
export interface Delimiter {
  readonly depth: number
  readonly closing: boolean
}

/** The level that `boundary` delimits. */
export function level(boundary: string): Level {
  const dashes = `--${boundary}`
  return { dashes, begun: false, skipped: false }
}

/** The delimiter that `line` is, without its end; blanks may follow it. */
export function delimiterIn(line: string, levels: readonly Level[]): Delimiter | undefined {
  for (const [depth, { dashes }] of levels.entries()) {
    const after = line.startsWith(dashes) ? trimBlanks(line.slice(dashes.length)) : undefined
    if (after === '' || after === '--') return { depth, closing: after !== '' }
  }
  return undefined
}

/** Where in `body`, at `from` or later, something begins like a delimiter of one of `levels`; -1 when nothing does. */
export function nextDashes(body: string, from: number, levels: readonly Level[]): number {
  let first = -1
  for (const { dashes } of levels) {
    // No further than the one found so far: a batch of many parts is searched once, not once for each of them.
    const within = first === -1 ? body : body.slice(0, first + dashes.length)
    const at = within.indexOf(dashes, from)
    if (at !== -1) first = at
  }
  return first
}
