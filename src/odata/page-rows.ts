import { MalformedBatch } from './batch-error.ts'
import { jsonScanner } from './json-scanner.ts'

/** Reads a page of a collection as it arrives, and gives its rows out one by one. */
export interface PageRows {
  /**
   * Takes the next piece.
   *
   * @returns the rows that are complete now, as Dynamics wrote them, each followed by a line end
   * @throws MalformedBatch when it is no page, or a row is too long
   */
  readonly push: (piece: string) => string
  /** @throws MalformedBatch when the page is not complete */
  readonly end: () => void
  /** Whether `value` has begun, so that it is a page. */
  readonly isPage: () => boolean
  /** Rows that were given out. */
  readonly rows: () => number
  /** The value of a member beside the rows, as JSON text; of those in {@link MEMBERS}. */
  readonly member: (name: string) => string | undefined
}

/** Members beside `value` that say how the collection goes on. */
const MEMBERS: ReadonlySet<string> = new Set([
  '@odata.nextLink',
  '@nextLink',
  '@Microsoft.Dynamics.CRM.fetchxmlpagingcookie',
  '@Microsoft.Dynamics.CRM.morerecords',
])

/** Characters of the longest row, which is held until it is complete, so that a break never leaves half a line. */
const MAX_ROW_CHARACTERS = 16 * 1024 * 1024

/**
 * Reads a page, `{"value":[…]}` with other members around it. Its rows are scanned, not parsed, so that their bytes
 * stay as they are; line breaks between their members, which Dynamics does not write, are left out.
 *
 * @param limit how many rows are wanted at most
 */
export function pageRows(limit: number): PageRows {
  /** What is not decided yet, and where it begins in the page. */
  let held = ''
  let base = 0
  /** What is before it in the page is not needed any more. */
  let decided = 0
  let inside: 'rows' | 'member' | 'other' | undefined
  let name = ''
  let isPage = false
  let rows = 0
  let lines: string[] = []
  const members = new Map<string, string>()

  const scanner = jsonScanner({
    maxDepth: 2,
    begins({ depth, nameStart, nameEnd }, isArray) {
      if (depth === 0 && isArray) throw notAPage()
      if (depth !== 1) return
      name = text(nameStart + 1, nameEnd - 1)
      if (name === 'value') {
        if (!isArray || isPage) throw notAPage()
        isPage = true
        inside = 'rows'
      } else inside = MEMBERS.has(name) ? 'member' : 'other'
    },
    ends({ depth, start, end }) {
      if (depth === 2 && inside === 'rows' && rows < limit) {
        lines.push(withoutLineBreaks(text(start, end)))
        rows++
      }
      if (depth === 1) {
        if (inside === 'member') members.set(name, text(start, end))
        inside = undefined
      }
      if (inside !== 'member') decided = end
    },
  })

  function text(start: number, end: number): string {
    return held.slice(start - base, end - base)
  }

  /** Lets go of what is decided. What is held grows without being copied meanwhile. */
  function release(): void {
    if (inside === 'other') decided = base + held.length
    if (decided > base) {
      held = held.slice(decided - base)
      base = decided
    }
    if (held.length > MAX_ROW_CHARACTERS) throw new MalformedBatch('A row has more than 16,777,216 bytes.')
  }

  return {
    push(piece) {
      held += piece
      scanner.scan(piece)
      release()
      if (lines.length === 0) return ''
      const complete = `${lines.join('\n')}\n`
      lines = []
      return complete
    },
    end() {
      scanner.end()
      if (!isPage) throw notAPage()
    },
    isPage: () => isPage,
    rows: () => rows,
    member: (member) => members.get(member),
  }
}

function withoutLineBreaks(row: string): string {
  return row.includes('\n') || row.includes('\r') ? row.replaceAll(/[\r\n]/g, '') : row
}

function notAPage(): MalformedBatch {
  return new MalformedBatch('The response is not one page of a collection.')
}
