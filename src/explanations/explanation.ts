/** What an operator needs to hear of a failure. */
export interface Explanation {
  /** What happened, in one sentence. */
  readonly what: string
  /** Why, as far as there is evidence; otherwise a statement that there is none. */
  readonly why: string
  /** The one thing to do, with the path in the portal. */
  readonly todo: string
  /** The service's own sentence, quoted, for the output of `check`. Never for a log, because it comes from outside. */
  readonly says?: string
}

/** An explanation as one line of a log: without what the service says. */
export function inOneLine({ what, why, todo }: Explanation): string {
  return `${what} ${why} ${todo}`
}

/** No sentence of a service needs more letters to be recognised. */
const LONGEST = 300

/** Tokens, and what is as long as one. */
const TOKENLIKE = /\beyJ[\w.~+/=-]{8,}|[^\s]{120,}/g

/**
 * What a service said, as a quotation of at most 300 letters on one line, without anything that looks like a token: it
 * comes from outside, and a terminal must not obey what is hidden in it. `undefined` where it said nothing.
 */
export function quotation(text: string | undefined): string | undefined {
  const plain = text
    ?.slice(0, 4 * LONGEST)
    .replace(/[\p{C}\s]+/gu, ' ')
    .replace(TOKENLIKE, '…')
    .trim()
  if (plain === undefined || plain === '') return undefined
  return plain.length > LONGEST ? `“${plain.slice(0, LONGEST)}…”` : `“${plain}”`
}
