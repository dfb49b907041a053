/** What an operator needs to hear of a failure. */
export interface Explanation {
  /** What happened, in one sentence. */
  readonly what: string
  /** Why, as far as it is known. */
  readonly why: string
  /** The one thing to do, with the path in the portal. */
  readonly todo: string
}

/** An explanation as one line of a log. */
export function inOneLine({ what, why, todo }: Explanation): string {
  return `${what} ${why} ${todo}`
}
