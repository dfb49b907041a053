import { trimBlanks } from './header-fields.ts'

/** A multipart body that is being read: the batch, or a change set in it. */
export interface Level {
  /** What its delimiters begin with. */
  readonly dashes: string
  /** Whether its first delimiter is written. */
  begun: boolean
  /** Whether something was left out. */
  skipped: boolean
  /** Where its dashes stand next, counted from the beginning of the batch; -1 when not before `searched`. */
  next: number
  /** Up to here they were sought. */
  searched: number
}

/** A delimiter of the innermost level, 0, or of one further out. */
export interface Delimiter {
  readonly depth: number
  readonly closing: boolean
}

/** The level that `boundary` delimits. */
export function level(boundary: string): Level {
  const dashes = `--${boundary}`
  return { dashes, begun: false, skipped: false, next: -1, searched: 0 }
}

/** Most blanks that may follow a delimiter. */
const MOST_BLANKS = 1000

/** The delimiter that `line` is, without its end; blanks may follow it. */
export function delimiterIn(line: string, levels: readonly Level[]): Delimiter | undefined {
  if (line.charCodeAt(0) !== DASH) return undefined
  for (const [depth, { dashes }] of levels.entries()) {
    if (!line.startsWith(dashes) || line.length > dashes.length + 2 + MOST_BLANKS) continue
    const after = trimBlanks(line.slice(dashes.length))
    if (after === '' || after === '--') return { depth, closing: after !== '' }
  }
  return undefined
}

/** Whether a line of which only `beginning` is known may turn out to be a delimiter. */
export function mayBeDelimiter(beginning: string, levels: readonly Level[]): boolean {
  return levels.some(
    ({ dashes }) =>
      dashes.startsWith(beginning) ||
      (beginning.startsWith(dashes) &&
        beginning.length <= dashes.length + 3 + MOST_BLANKS &&
        AFTER_DASHES.test(beginning.slice(dashes.length))),
  )
}

const DASH = 0x2d
const AFTER_DASHES = /^-{0,2}[ \t]*\r?$/

/**
 * Where in `body`, at `from` or later, something begins like a delimiter of one of `levels`; -1 when nothing does.
 * However often it is asked, it looks at each character once for each level.
 *
 * @param base where `body` begins in the batch
 */
export function nextDashes(body: string, base: number, from: number, levels: readonly Level[]): number {
  let first = -1
  for (const level of levels) {
    if (level.next < base + from) {
      const at = body.indexOf(level.dashes, Math.max(from, level.searched - base))
      level.next = at === -1 ? -1 : base + at
      level.searched = at === -1 ? base + Math.max(from, body.length - level.dashes.length + 1) : level.next
    }
    if (level.next !== -1 && (first === -1 || level.next - base < first)) first = level.next - base
  }
  return first
}
