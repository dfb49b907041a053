/** How the emulated environment behaves where the real one can be set up, or is not known exactly. */
export interface Switches {
  /** What a caller id that no user has does: the real service runs the request as the application user. */
  unknownCaller: 'ignored' | 'forbidden' | 'not found'
  /** Whether the application user holds `prvActOnBehalfOfAnotherUser`. */
  mayImpersonate: boolean
  /** Whether the application user holds `prvReadUser`. */
  mayReadUsers: boolean
  /** The application user of the one app registration. */
  applicationUser: 'present' | 'missing' | 'disabled' | 'without roles'
  /** Whether caller ids inside the parts of a `$batch` count. */
  callersInBatchParts: boolean
  /** `strict` wants CRLF at the end of every line of a `$batch` and its closing delimiter. */
  batchLines: 'strict' | 'lenient'
  /** Whether `% _ [ ]` are wildcards in `eq`, as they are in `contains`. */
  wildcardsInEquals: boolean
  /** Most rows in one page; the real service's is 5000. */
  pageSize: number
  /** The parallelism advised by `x-ms-dop-hint`; `undefined` leaves the header out. */
  parallelism: number | undefined
  /** More requests than this at once are refused with 429 0x80072326. */
  concurrencyLimit: number
  /** Milliseconds by which the clocks of Entra and Dataverse are ahead of this machine's. */
  clockAhead: number
  /** Milliseconds that every answer of Dataverse takes. */
  latency: number
  /** A disabled organisation answers nothing else than that. */
  organization: 'enabled' | 'disabled'
}

/** Switches as a new environment has them. */
export function defaultSwitches(): Switches {
  return {
    unknownCaller: 'ignored',
    mayImpersonate: true,
    mayReadUsers: true,
    applicationUser: 'present',
    callersInBatchParts: true,
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
