import { Buffer } from 'node:buffer'

/** Bytes `from` … `to` (exclusive) give way to the ASCII text `put`. */
export interface Edit {
  readonly from: number
  readonly to: number
  readonly put: string
}

/** Up to this many bytes the outcome is one Buffer, for one write costs less than several. */
const SMALL = 64 * 1024

/** An unchanged stretch of this many bytes is passed on as a view rather than copied. */
const LARGE = 16 * 1024

/**
 * The first `end` bytes with `edits` made.
 *
 * @param edits in ascending order, without overlap, all before `end`
 */
export function splice(bytes: Buffer, end: number, edits: readonly Edit[]): readonly Buffer[] {
  if (edits.length === 0) return end === 0 ? [] : [end === bytes.length ? bytes : bytes.subarray(0, end)]
  if (end <= SMALL) return [joined(bytes, 0, end, edits)]

  const pieces: Buffer[] = []
  let from = 0
  let first = 0
  for (let next = 0; next <= edits.length; next++) {
    const start = next === 0 ? 0 : edits[next - 1]!.to
    const stop = next === edits.length ? end : edits[next]!.from
    if (stop - start < LARGE) continue
    if (start > from || next > first) pieces.push(joined(bytes, from, start, edits.slice(first, next)))
    pieces.push(bytes.subarray(start, stop))
    from = stop
    first = next
  }
  if (end > from || edits.length > first) pieces.push(joined(bytes, from, end, edits.slice(first)))
  return pieces
}

function joined(bytes: Buffer, from: number, to: number, edits: readonly Edit[]): Buffer {
  let size = to - from
  for (const edit of edits) size += edit.put.length - (edit.to - edit.from)
  const out = Buffer.allocUnsafe(size)
  let at = 0
  let read = from
  for (const edit of edits) {
    at += bytes.copy(out, at, read, edit.from)
    at += out.write(edit.put, at, 'latin1')
    read = edit.to
  }
  bytes.copy(out, at, read, to)
  return out
}
