import type { Target } from '../config/schema.ts'
import type { Credential } from '../credentials/credential.ts'
import type { OutboundAgent } from '../outbound/agent.ts'
import { authorize } from './authorize.ts'
import { breakCircuit, createCircuit, turnAwayWhileOpen } from './circuit.ts'
import { limitConcurrency } from './concurrency/limit.ts'
import { keepDeadlines } from './deadline.ts'
import { dispatch } from './dispatch.ts'
import type { Gate } from './dispatch.ts'
import { explainFailures } from './failures.ts'
import { createHold } from './limits/pause.ts'
import { keepBody } from './keep-body.ts'
import type { Rates } from './limits/parse.ts'
import { createPlaces } from './concurrency/fair-queue.ts'
import { readRates } from './limits/rates.ts'
import { createRetryBudget } from './retry-budget.ts'
import { retry } from './retry.ts'
import { createRoom } from './concurrency/upload-share.ts'
import type { Send } from './send.ts'
import { HELD, respectLimits } from './limits/service-protection.ts'
import { turnInward } from './rewrite-request-body.ts'
import { logged } from './events.ts'
import type { DynamicsEvent, Log, Watch } from './events.ts'

/** The way to one target. */
export interface Connection {
  readonly send: Send
  /** What is known of the way now; for health and metrics. */
  readonly state: () => ConnectionState
  /** Ends timers. */
  readonly close: () => void
}

export interface ConnectionState {
  readonly circuit: 'closed' | 'open'
  /** Requests at Dynamics, requests that wait for a place, and how many places there are. */
  readonly running: number
  readonly waiting: number
  readonly limit: number
  /** Milliseconds that nothing is sent for, by Dynamics' limits, and how many requests wait for that. */
  readonly hold: number
  readonly held: number
  /** What Dynamics last said is left of its limits. */
  readonly rates: Rates | undefined
}

export interface ConnectOptions {
  readonly agent: Pick<OutboundAgent, 'reads' | 'writes' | 'isNew'>
  readonly credential: Credential
  /** Is told what happens, beside the log. */
  readonly watch: Watch
  readonly log: Log
  /** The largest body that a caller may send, in bytes. */
  readonly bodyLimit: number
}

/** Share of requests that may be sent once more. */
const RETRIES = 0.2

/** How to speak to `target`. */
export function connect(
  target: Target, { agent, credential, watch: counted, log, bodyLimit }: ConnectOptions,
): Connection {
  const line = logged(log, target.name)
  function watch(event: DynamicsEvent): void {
    line(event)
    counted(event)
  }
  const patience = { connect: target.connectTimeout, head: target.requestTimeout, idle: target.idleTimeout }
  const hold = createHold()
  const places = createPlaces({ most: target.concurrency, queue: target.queue, watch })
  const circuit = createCircuit(watch)
  const room = createRoom({ most: target.concurrency, queue: target.queue, watch })
  const rates = readRates({
    suggest(parallel) {
      places.suggest(parallel)
      room.suggest(parallel)
    },
  }, watch)
  const gate: Gate = {
    keepsBack: (departure) => hold.keepsBack(departure) ? HELD : undefined,
    connected: circuit.connected,
  }

  // Each step wraps the one above it, so a request meets the last one first.
  const sent = dispatch(agent, target.url.origin, patience, gate)
  let send = authorize(sent, credential, watch) // every repetition anew
  send = retry(send, createRetryBudget(RETRIES), watch)
  send = breakCircuit(send, circuit)
  send = limitConcurrency(send, places)
  send = room.limit(send)
  send = respectLimits(send, { // waits without a place
    hold, maxRetryWait: target.maxRetryWait, queue: target.queue, tooMany: places.lower, answered: rates.read, watch,
  })
  send = turnAwayWhileOpen(send, circuit)
  send = turnInward(send, bodyLimit)
  send = keepBody(send, Math.min(target.keepBody, bodyLimit))
  const deadlines = keepDeadlines(send, target.totalTimeout)
  send = explainFailures(deadlines.send, patience)

  return {
    send,
    state: () => ({
      ...places.state(),
      circuit: circuit.isOpen() ? 'open' : 'closed',
      hold: hold.remaining(),
      held: hold.waiting(),
      rates: rates.last(),
    }),
    close() {
      hold.close()
      deadlines.close()
    },
  }
}
