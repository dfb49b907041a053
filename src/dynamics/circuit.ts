import { CircuitOpen, retryLater } from '../errors.ts'
import { Failure } from './dispatch.ts'
import type { OnEvent } from './events.ts'
import { failureKind } from './failures.ts'
import { requestIds } from './request-record.ts'
import type { RequestRecord } from './request-record.ts'
import type { Send } from './send.ts'

/** Whether connections to Dynamics are tried. Open: not now, so that callers need not wait for what will fail. */
export interface Circuit {
  /** @throws CircuitOpen */
  readonly check: () => void
  /** As `check`, and one that may pass an open circuit is its probe; then `true`. */
  readonly enter: () => boolean
  /** A connection stands. */
  readonly connected: () => void
  /** A request got no connection. */
  readonly failed: (wasProbe: boolean, record: RequestRecord) => void
  /** The probe came to an end without showing anything. */
  readonly undecided: () => void
  readonly isOpen: () => boolean
}

/** Requests in a row that got no connection until the circuit opens. */
const FAILURES = 5
/** Until the first probe, doubling to the longest; short, so that callers lose little when Dynamics is back. */
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 2000

export function createCircuit(watch: OnEvent): Circuit {
  let failures = 0
  let pause = 0
  /** On the clock of `performance.now()`: when a probe may go. */
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
      watch({ kind: 'circuit', state: 'closed' })
    },
    failed(wasProbe, record) {
      failures++
      if (pause === 0 && failures < FAILURES) return
      // Requests that were under way when it opened tell nothing new.
      if (pause !== 0 && !wasProbe) return
      if (pause === 0) watch({ kind: 'circuit', state: 'open', ...requestIds(record) })
      pause = Math.min(pause * 2 || FIRST_PAUSE, LONGEST_PAUSE)
      probeAt = performance.now() + pause
      probing = false
    },
    undecided() {
      probing = false
    },
    isOpen: () => pause !== 0,
  }
}

/** Counts who gets no connection, and turns away while the circuit is open. */
export function breakCircuit(send: Send, circuit: Circuit): Send {
  function failed(error: unknown, wasProbe: boolean, record: RequestRecord): never {
    if (isNoConnection(error)) circuit.failed(wasProbe, record)
    else if (wasProbe) circuit.undecided()
    throw error
  }

  return (request) => {
    let probe: boolean
    try {
      probe = circuit.enter()
    } catch (error) {
      return Promise.reject(error)
    }
    return send(request).catch((error: unknown) => failed(error, probe, request.record))
  }
}

/** Turns away at the door while the circuit is open, ahead of any queue. */
export function turnAwayWhileOpen(send: Send, circuit: Circuit): Send {
  return (request) => {
    try {
      circuit.check()
    } catch (error) {
      return Promise.reject(error)
    }
    return send(request)
  }
}

function isNoConnection(error: unknown): boolean {
  if (!(error instanceof Failure)) return false
  const kind = failureKind(error)
  return kind === 'unreachable' || kind === 'connect-timeout'
}
