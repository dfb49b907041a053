/** How long connections are kept and considered safe, in milliseconds. */
export interface IdleTimes {
  /** Idle connections are closed after this. */
  readonly keep: number
  /** The assumed idle lifetime of a used connection at the server, until it has been measured. */
  readonly assumedUsed: number
  /** The same for a connection that was never used. */
  readonly assumedUnused: number
  /** The reserve is closed after this time without a request. */
  readonly traffic: number
}

/** The values for Dynamics and the network devices in front of it. */
export const IDLE_TIMES: IdleTimes = {
  // Well below the four minutes after which load balancers drop an idle connection silently.
  keep: 55_000,
  // Hardly any server closes an idle connection within two seconds.
  assumedUsed: 3_800,
  // Servers allow a new connection at least 20 seconds for its first request.
  assumedUnused: 20_000,
  // A caller with one call a minute may leave one out.
  traffic: 150_000,
}
