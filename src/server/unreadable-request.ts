/** A request that was refused before it had an exchange: it cannot be read, or asks for a tunnel. */
export interface UnreadableRequest {
  /** The caller's well-formed `x-request-id`, or a new one. */
  readonly id: string
  readonly method: string
  /** As in the log; `other` where the address cannot be read either. */
  readonly entitySet: string
  readonly status: number
  readonly code: string
  /** The error in the response. */
  readonly message: string
  /** Node's code of the fault. */
  readonly cause?: string | undefined
}

export type OnUnreadable = (request: UnreadableRequest) => void
