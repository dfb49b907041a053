import { cachedByText } from './cached-by-text.ts'

/** What a `Prefer` header asks for, as far as the gateway itself must know. */
export interface Preferences {
  /** Whether Dynamics is asked to call a URL back. */
  readonly callback: boolean
  /** Whether a write asks for the row that it changes. */
  readonly wantsRow: boolean
  /** Whether the request may run in the background, after its response. */
  readonly respondAsync: boolean
  /** How many seconds the caller waits, `undefined` if it does not say so. */
  readonly waitSeconds: number | undefined
}

/** Reads a `Prefer` header; several lines are joined by commas. Quotes are not trusted to hide a preference. */
export const preferencesOf = cachedByText((prefer): Preferences => {
  const seconds = WAIT.exec(prefer)?.[1]
  return {
    callback: /(?:^|[,;"\s])(?:odata\.)?callback\s*(?:$|[,;="])/i.test(prefer),
    wantsRow: /return\s*=[\s"]*representation/i.test(prefer),
    respondAsync: /respond-async/i.test(prefer),
    waitSeconds: seconds === undefined ? undefined : Number(seconds),
  }
})

/** Up to a million seconds. */
const WAIT = /(?:^|[,;\s])wait\s*=\s*"?0*([1-9]\d{0,5})\b/i

/** Those of a request without a `Prefer` header. */
export const NO_PREFERENCES = preferencesOf('')
