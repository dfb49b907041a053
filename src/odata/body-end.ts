import { MalformedBatch } from './batch-error.ts'
import { type Delimiter, delimiterIn, type Level, mayBeDelimiter, nextDashes, withoutReturn } from './delimiters.ts'

/** Where the body of a part ends in a text. */
export interface BodyEnd {
  /** The characters before it certainly belong to the body. */
  readonly end: number
  /** The delimiter that ends the body; `undefined` when it is not in the text. */
  readonly delimiter: Delimiter | undefined
  /** The position after the delimiter. */
  readonly next: number
}

/** What the text is part of. */
interface BodyText {
  /** The position of the text in the batch. */
  readonly base: number
  readonly levels: readonly Level[]
  /** Whether the text starts with the body. */
  readonly isBodyStart: boolean
  /** Whether the batch ends with the text. */
  readonly isLast: boolean
  /** Whether a line that starts like a delimiter and continues differently is an error. */
  readonly isStrict: boolean
}

/**
 * Finds the delimiter that ends the body at the start of `text`. The line break before it belongs to the delimiter.
 *
 * @see https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
 * @throws MalformedBatch
 */
export function bodyEnd(text: string, { base, levels, isBodyStart, isLast, isStrict }: BodyText): BodyEnd {
  let from = 0
  for (;;) {
    const at = nextDashes(text, base, from, levels)
    if (at === -1) {
      const longest = Math.max(...levels.map(({ dashes }) => dashes.length))
      return undecided(isLast ? text.length : text.length - longest - 1)
    }
    from = at + 1
    const before = at === 0 ? (isBodyStart ? '\n' : undefined) : text[at - 1]
    if (before !== '\n' && !(before === '\r' && isStrict)) continue

    const lineEnd = text.indexOf('\n', at)
    const line = text.slice(at, lineEnd === -1 ? text.length : lineEnd)
    if (lineEnd === -1 && !isLast && mayBeDelimiter(line, levels)) return undecided(at - 2)
    const delimiter = delimiterIn(withoutReturn(line), levels)
    if (delimiter === undefined || before === '\r') {
      if (!isStrict) continue
      throw falseDelimiter()
    }
    const end = at - (at > 1 && text[at - 2] === '\r' ? 2 : Math.min(at, 1))
    return { end, delimiter, next: lineEnd === -1 ? text.length : lineEnd + 1 }
  }
}

function undecided(end: number): BodyEnd {
  return { end: Math.max(0, end), delimiter: undefined, next: 0 }
}

/** The error for what some parsers would read as a delimiter and others would not. */
export function falseDelimiter(): MalformedBatch {
  return new MalformedBatch('The batch holds a line that could be taken for a delimiter, or parts without one.')
}
