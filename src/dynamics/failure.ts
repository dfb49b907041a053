import { OwnError } from '../logging/own-error.ts'

/** There was no response, or it was truncated. The error of undici is the `cause`. */
export class Failure extends OwnError {
  /** Whether bytes of the request may have reached Dynamics. If not, nothing was executed. */
  readonly sent: boolean
  /** Whether it was sent on a connection that had been idle before. */
  readonly wasIdle: boolean
  constructor(cause: Error, sent: boolean, wasIdle: boolean) {
    super('no answer', { cause })
    this.sent = sent
    this.wasIdle = wasIdle
  }
}
