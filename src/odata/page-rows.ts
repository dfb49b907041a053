import { MalformedBatch } from './batch-error.ts'
import { jsonScanner } from './json-scanner.ts'
import { bytesOf, textOf } from './text-transform.ts'

/** Reads a page of a collection as it arrives, and returns its rows. */
export interface PageRows {
  /**
   * Takes the next chunk.
   *
   * @returns the rows that are complete now, as Dynamics wrote them, each followed by a line end
   * @throws MalformedBatch when it is not a page, RowOverLimit when a row is too long
   */
  readonly push: (chunk: Buffer) => readonly Buffer[]
  /** @throws MalformedBatch when the page is not complete */
  readonly end: () => void
  /** Whether `value` has begun, so that it is a page. */
  readonly isPage: () => boolean
  /** Rows that were given out. */
  readonly rows: () => number
  /** The value of a member besides the rows, as JSON text; of those in {@link MEMBERS}. */
  readonly member: (name: string) => string | undefined
}

/** Members besides `value` that continue the collection. */
const MEMBERS: ReadonlySet<string> = new Set([
  '@odata.nextLink',
  '@nextLink',
  '@Microsoft.Dynamics.CRM.fetchxmlpagingcookie',
  '@Microsoft.Dynamics.CRM.morerecords',
])

/** The longest row, in bytes. It is buffered until it is complete, so that a break never leaves half a line. */
export const MAX_ROW_BYTES = 16 * 1024 * 1024

/**
 * Reads a page, `{"value":[…]}` with other members around it. Its rows are scanned, not parsed, so that their bytes stay
 * as they are; only line breaks between their members, which Dynamics does not write, are left out.
 *
 * @param limit how many rows are wanted at most
 */
export function pageRows(limit: number): PageRows {
  /** What is not decided yet of the chunks before `chunk`, and where it begins in the page. */
  let pending: Buffer[] = []
  let pendingStart = 0
  let chunk: Buffer = NOTHING
  /** Where `chunk` begins in the page. */
  let base = 0
  /** What is before it in the page is not needed any more. */
  let decided = 0
  /** Rows of `chunk` that follow each other with a comma between, and are not in `out` yet; none: -1. */
  let runStart = -1
  let runEnd = -1
  let inside: 'rows' | 'member' | 'other' | undefined
  let name = ''
  let isPage = false
  let hasLineBreaks = false
  let rows = 0
  let out: Buffer[] = []
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
        addRow(start, end)
        rows++
      }
      if (depth === 1) {
        if (inside === 'member') members.set(name, text(start, end))
        inside = undefined
      }
      if (inside !== 'member') decided = end
    },
  })

  function addRow(start: number, end: number): void {
    if (hasLineBreaks || start < base) {
      closeRun()
      const row = hasLineBreaks ? bytesOf(text(start, end).replaceAll(/[\r\n]/g, '')) : bytes(start, end)
      out.push(row, LINE_END)
    } else if (start === runEnd + 1) {
      chunk[runEnd - base] = LF
      runEnd = end
    } else {
      closeRun()
      runStart = start
      runEnd = end
    }
  }

  /** The byte after the run has been read, and does not belong to a row: it becomes the line end. */
  function closeRun(): void {
    if (runEnd === -1) return
    const end = runEnd - base
    if (end < chunk.length) chunk[end] = LF
    out.push(chunk.subarray(runStart - base, end + 1))
    if (end === chunk.length) out.push(LINE_END)
    runEnd = -1
  }

  function bytes(start: number, end: number): Buffer {
    if (start >= base) return chunk.subarray(start - base, end - base)
    return Buffer.concat([...pending, chunk]).subarray(start - pendingStart, end - pendingStart)
  }

  function text(start: number, end: number): string {
    return textOf(bytes(start, end))
  }

  /** Releases the text that is decided. */
  function release(): void {
    const end = base + chunk.length
    if (inside === 'other') decided = end
    if (decided >= base) {
      pending = decided < end ? [chunk.subarray(decided - base)] : []
      pendingStart = decided
    } else pending.push(chunk)
    base = end
    if (end - pendingStart > MAX_ROW_BYTES) throw new RowOverLimit()
  }

  return {
    push(next) {
      // Others may share the response: commas become line ends in a copy.
      chunk = Buffer.from(next)
      out = []
      const piece = textOf(next)
      hasLineBreaks ||= /[\r\n]/.test(piece)
      scanner.scan(piece)
      closeRun()
      release()
      return out
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

/** A row has more than {@link MAX_ROW_BYTES}. */
export class RowOverLimit extends Error {
  override readonly name = 'RowOverLimit'
}

const LF = 0x0a
const LINE_END = Buffer.of(LF)
const NOTHING = Buffer.alloc(0)

function notAPage(): MalformedBatch {
  return new MalformedBatch('The response is not one page of a collection.')
}
