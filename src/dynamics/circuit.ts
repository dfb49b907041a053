import { CircuitOpen, retryLater } from '../errors.ts'
import type { Stage } from './chain.ts'
import type { OnEvent } from './events.ts'
import { failureKind } from './explain-failures.ts'
import { Failure } from './failure.ts'
import { requestIds } from './request-record.ts'
import type { RequestRecord } from './request-record.ts'
import type { Send } from './send.ts'

/** A circuit breaker for connections to Dynamics. While it is open, requests fail at once instead of waiting. */
export interface Circuit {
  /** @throws CircuitOpen */
  readonly check: () => void
  /** Like `check`. Returns true when the request passes an open circuit as its probe. */
  readonly enter: () => boolean
  /** A connection was established. */
  readonly connected: () => void
  /** A request got no connection. */
  readonly failed: (wasProbe: boolean, record: RequestRecord) => void
  /** The probe ended without a result. */
  readonly undecided: () => void
  readonly isOpen: () => boolean
}

/** Consecutive failures to connect after which the circuit opens. */
const MAX_FAILURES = 5
/** The pause before the first probe. It doubles up to the maximum, and is short so that recovery is found quickly. */
const FIRST_PAUSE_MS = 500
const MAX_PAUSE_MS = 2000

export function createCircuit(onEvent: OnEvent): Circuit {
  let failures = 0
  let pause = 0
  /** When the next probe may be sent, on the clock of `performance.now()`. */
  let probeAt = 0
  let probing = false

  function check(): void {
    if (pause === 0) return
    const left = probeAt - performance.now()
    if (probing || left > 0) throw retryLater(new CircuitOpen(), Math.max(left, 1000))
  }

  return {
    check,
    enter() {
      check()
      if (pause === 0) return false
      probing = true
      return true
    },
    connected() {
      if (failures === 0 && pause === 0) return
      failures = 0
      probing = false
      if (pause === 0) return
      pause = 0
      onEvent({ kind: 'circuit', state: 'closed' })
    },
    failed(wasProbe, record) {
      failures++
      if (pause === 0 && failures < MAX_FAILURES) return
      // Requests that were in progress when it opened carry no new information.
      if (pause !== 0 && !wasProbe) return
      if (pause === 0) onEvent({ kind: 'circuit', state: 'open', ...requestIds(record) })
      pause = Math.min(pause * 2 || FIRST_PAUSE_MS, MAX_PAUSE_MS)
      probeAt = performance.now() + pause
      probing = false
    },
    undecided() {
      probing = false
    },
    isOpen: () => pause !== 0,
  }
}

/** Counts requests without a connection, and refuses requests while the circuit is open. */
export function breakCircuit(next: Send, circuit: Circuit): Stage {
  function failed(error: unknown, wasProbe: boolean, record: RequestRecord): never {
    if (isNoConnection(error)) circuit.failed(wasProbe, record)
    else if (wasProbe) circuit.undecided()
    throw error
  }

  return {
    enter(request) {
      const isProbe = circuit.enter()
      // A probe is sent here, because its failure counts in another way.
      return isProbe ? next(request).catch((error: unknown) => failed(error, true, request.record)) : undefined
    },
    failed: (error, { record }) => failed(error, false, record),
  }
}

/** Refuses requests while the circuit is open, before they enter a queue. */
export function turnAwayWhileOpen(circuit: Circuit): Stage {
  return {
    enter() {
      circuit.check()
      return undefined
    },
  }
}

function isNoConnection(error: unknown): boolean {
  if (!(error instanceof Failure)) return false
  const kind = failureKind(error)
  return kind === 'unreachable' || kind === 'connect-timeout'
}
