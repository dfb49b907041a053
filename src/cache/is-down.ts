import {
  CircuitOpen,
  DynamicsAnswerInvalid,
  DynamicsBrokeOff,
  DynamicsTooSlow,
  DynamicsUnreachable,
} from '../errors.ts'

const DOWN = [CircuitOpen, DynamicsAnswerInvalid, DynamicsBrokeOff, DynamicsTooSlow, DynamicsUnreachable]

/** Whether an error means that Dynamics cannot be reached. A refused credential, user or caller does not mean that. */
export function isDownError(error: unknown): boolean {
  return DOWN.some((kind) => error instanceof kind)
}

/** Whether a status means that only a server in front of Dynamics answered. */
export function isDownStatus(status: number): boolean {
  return status >= 502 && status <= 504
}
