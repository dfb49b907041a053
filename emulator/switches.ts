/** Behaviour that can be configured in a real environment, or is not known exactly. */
export interface Switches {
  /** What happens to a caller id without a user. The real service ignores it and runs as the application user. */
  unknownCaller: 'ignored' | 'forbidden' | 'not found'
  /** Whether the application user holds `prvActOnBehalfOfAnotherUser`. */
  mayImpersonate: boolean
  /** Whether the application user holds `prvReadUser`. */
  mayReadUsers: boolean
  /** The application user of the app registration. */
  applicationUser: 'present' | 'missing' | 'disabled' | 'without roles'
  /** Whether caller ids inside the parts of a `$batch` apply. */
  callersInBatchParts: boolean
  /** `strict` requires CRLF at the end of every line of a `$batch`, and its closing delimiter. */
  batchLines: 'strict' | 'lenient'
  /** Entity sets whose changes are not tracked. */
  untracked: readonly string[]
  /** Whether delta links are still valid; the real service forgets them after seven days. */
  deltaLinks: 'valid' | 'expired'
  /** Whether `% _ [ ]` are wildcards in `eq`, as they are in `contains`. */
  wildcardsInEquals: boolean
  /** Rows in one page; 5000 in the real service. */
  pageSize: number
  /** The degree of parallelism advised by `x-ms-dop-hint`; `undefined` omits the header. */
  parallelism: number | undefined
  /** Concurrent requests beyond this number are refused with 429 0x80072326. */
  concurrencyLimit: number
  /** Milliseconds by which the clocks of Entra and Dataverse are ahead of this machine's. */
  clockAhead: number
  /** Milliseconds that every response of Dataverse takes. */
  latency: number
  /** A disabled organisation answers every request with 403. */
  organization: 'enabled' | 'disabled'
}

/** The switches of a new environment. */
export function defaultSwitches(): Switches {
  return {
    unknownCaller: 'ignored',
    mayImpersonate: true,
    mayReadUsers: true,
    applicationUser: 'present',
    callersInBatchParts: true,
    untracked: [],
    deltaLinks: 'valid',
    batchLines: 'strict',
    wildcardsInEquals: false,
    pageSize: 5000,
    parallelism: 48,
    concurrencyLimit: Infinity,
    clockAhead: 0,
    latency: 0,
    organization: 'enabled',
  }
}
