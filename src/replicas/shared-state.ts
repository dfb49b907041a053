/**
 * What the gateways of one environment tell each other: short texts that may be lost at any time. Whoever reads one
 * must be right without it, too.
 */
export interface SharedState {
  /** What was set for `key`; `undefined` when nothing was, or it has expired or been lost. */
  readonly get: (key: string) => Promise<string | undefined>
  /** Keeps `value` for `ttl` milliseconds at most. */
  readonly set: (key: string, value: string, ttl: number) => Promise<void>
}
