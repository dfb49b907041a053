import { trimBlanks } from './header-fields.ts'

/** A multipart body in progress: the batch, or a change set in it. */
export interface Level {
  /** The start of its delimiters. */
  readonly dashes: string
  /** Whether its first delimiter is written. */
  begun: boolean
  /** Whether bytes were skipped. */
  skipped: boolean
  /** The next position of its dashes, from the start of the batch; -1 when not before `searched`. */
  next: number
  /** The position up to which they were searched. */
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

/** How many blanks may follow a delimiter. */
const MAX_BLANKS = 1000

/** The delimiter in `line`, a line without its line break; blanks may follow the delimiter. */
export function delimiterIn(line: string, levels: readonly Level[]): Delimiter | undefined {
  if (line.charCodeAt(0) !== DASH) return undefined
  for (const [depth, { dashes }] of levels.entries()) {
    if (!line.startsWith(dashes) || line.length > dashes.length + 2 + MAX_BLANKS) continue
    const after = trimBlanks(line.slice(dashes.length))
    if (after === '' || after === '--') return { depth, closing: after !== '' }
  }
  return undefined
}

/** A line without the CR of its line break. */
export function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

/** Whether a line with a known `beginning` may be a delimiter. */
export function mayBeDelimiter(beginning: string, levels: readonly Level[]): boolean {
  return levels.some(
    ({ dashes }) =>
      dashes.startsWith(beginning) ||
      (beginning.startsWith(dashes) &&
        beginning.length <= dashes.length + 3 + MAX_BLANKS &&
        AFTER_DASHES.test(beginning.slice(dashes.length))),
  )
}

const DASH = 0x2d
const AFTER_DASHES = /^-{0,2}[ \t]*\r?$/

/**
 * The first position in `body`, at `from` or later, that starts like a delimiter of one of `levels`; -1 without one.
 * Repeated calls read each character only once for each level.
 *
 * @param base position of `body` in the batch
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
