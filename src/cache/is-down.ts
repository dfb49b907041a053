import {
  CircuitOpen,
  DynamicsAnswerInvalid,
  DynamicsBrokeOff,
  DynamicsTooSlow,
  DynamicsUnreachable,
} from '../errors.ts'

const DOWN = [CircuitOpen, DynamicsAnswerInvalid, DynamicsBrokeOff, DynamicsTooSlow, DynamicsUnreachable]

/** Whether an error means that Dynamics cannot be reached; a refused credential, user or caller does not. */
export function isDownError(error: unknown): boolean {
  return DOWN.some((kind) => error instanceof kind)
}

/** Whether a status says that Dynamics is not there, but something before it. */
export function isDownStatus(status: number): boolean {
  return status >= 502 && status <= 504
}
