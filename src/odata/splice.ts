/** Replaces the characters `from` … `to` (exclusive) with `put`. */
export interface Edit {
  readonly from: number
  readonly to: number
  readonly put: string
}

/**
 * The first `end` characters of `text` with `edits` applied; the same string when nothing changes.
 *
 * @param edits in ascending order, without overlap, all before `end`
 */
export function splice(text: string, end: number, edits: readonly Edit[]): string {
  let out = ''
  let read = 0
  for (const { from, to, put } of edits) {
    out += text.slice(read, from) + put
    read = to
  }
  return read === 0 && edits.length === 0 ? text.slice(0, end) : out + text.slice(read, end)
}

/** The same as `splice` in pieces, for a text that is too long to be joined again. */
export function pieces(text: string, end: number, edits: readonly Edit[]): readonly string[] {
  const out: string[] = []
  let read = 0
  for (const { from, to, put } of edits) {
    out.push(text.slice(read, from), put)
    read = to
  }
  out.push(text.slice(read, end))
  return out
}
