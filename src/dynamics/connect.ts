import type { Target } from '../config/schema.ts'
import type { AccessTokens } from '../credentials/credential.ts'
import type { Logger } from '../logging/logger.ts'
import { targetAddress } from '../odata/target-address.ts'
import type { OutboundAgent } from '../outbound/agent.ts'
import type { SharedState } from '../replicas/shared-state.ts'
import { authorize } from './authorize.ts'
import { bufferBody } from './buffer-body.ts'
import { chain } from './chain.ts'
import { breakCircuit, createCircuit, turnAwayWhileOpen } from './circuit.ts'
import type { LimitReason } from './concurrency/adaptive-limit.ts'
import { createConcurrencyControl } from './concurrency/concurrency-control.ts'
import { limitConcurrency } from './concurrency/limit.ts'
import { createUploadShare, limitUploads } from './concurrency/upload-share.ts'
import { createDeadlines, keepDeadline, limitTotalTime } from './deadline.ts'
import { dispatch } from './dispatch.ts'
import { logEvents } from './events.ts'
import type { DynamicsEvent, OnEvent } from './events.ts'
import { explainFailures } from './explain-failures.ts'
import { idempotentCreates } from './idempotency/idempotent-creates.ts'
import { saltOf } from './idempotency/salt.ts'
import type { Rates } from './limits/parse.ts'
import { createPauseWindow } from './limits/pause.ts'
import { readRates } from './limits/rates.ts'
import { PAUSED, respectLimits } from './limits/service-protection.ts'
import { sharePauses } from './limits/shared-pauses.ts'
import { longReads } from './long-reads.ts'
import type { Gate } from './response-handler.ts'
import { createRetryBudget } from './retry-budget.ts'
import { retry } from './retry.ts'
import { rewriteRequestBody } from './rewrite-request-body.ts'
import type { Send } from './send.ts'

/** The connection to one target. There is nothing to close: its timers last as long as its requests. */
export interface Connection {
  readonly send: Send
  /** The current state; for health and metrics. */
  readonly state: () => ConnectionState
}

export interface ConnectionState {
  readonly circuit: 'closed' | 'open'
  /** Requests at Dynamics, queued requests, the concurrency limit, and why it has that value. */
  readonly running: number
  readonly waiting: number
  /** How many of the queued requests are background ones. */
  readonly waitingInBackground: number
  readonly limit: number
  readonly limitReason: LimitReason
  /** Slots that one caller or user gets while others wait; `undefined`: Dynamics sends no hint. */
  readonly share: number | undefined
  /** Milliseconds until the end of the pause by a service protection limit, and how many requests wait for it. */
  readonly pauseMs: number
  readonly waitingForPause: number
  /** The remaining limits that were read last. */
  readonly rates: Rates | undefined
}

export interface ConnectOptions {
  readonly agent: Pick<OutboundAgent, 'reads' | 'writes' | 'connectionUse'>
  /** For requests without tokens of their own. */
  readonly credential: AccessTokens
  /** Called for each event, besides the log. */
  readonly onEvent: OnEvent
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** The largest body that a caller may send, in bytes. */
  readonly bodyLimit: number
  /** What replicas share: pauses, their number, and what is remembered of creates with an idempotency key. */
  readonly state: SharedState
}

/** Share of requests that may be retried. */
const RETRY_BUDGET_SHARE = 0.2

/** Connects to `target`. */
export function connect(
  target: Target,
  { agent, credential, onEvent, log, bodyLimit, state }: ConnectOptions,
): Connection {
  const logEvent = logEvents(log, target.name)
  function emit(event: DynamicsEvent): void {
    logEvent(event)
    onEvent(event)
  }
  const timeouts = { connect: target.connectTimeout, head: target.requestTimeout, idle: target.idleTimeout }
  const keepBody = Math.min(target.keepBody, bodyLimit)
  const pauseWindow = sharePauses(createPauseWindow(), state, (wait) => emit({ kind: 'shared-pause', wait }))
  let replicas = 1
  state.onReplicas((count) => {
    replicas = count
  })
  const concurrencyControl = createConcurrencyControl({
    // Dynamics counts the requests of all replicas together.
    ceiling: () => Math.max(1, Math.floor(target.concurrency / replicas)),
    queue: target.queue,
    onEvent: emit,
    onChange: () => uploads.admitWaiters(),
  })
  const circuit = createCircuit(emit)
  const deadlines = createDeadlines(target.totalTimeout)
  const uploads = createUploadShare(() => concurrencyControl.semaphore.state().limit, target.queue, emit)
  const rates = readRates(concurrencyControl.applyHint)
  const gate: Gate = {
    holdReason: (cancellation) => (pauseWindow.shouldHold(cancellation) ? PAUSED : undefined),
    connected: circuit.connected,
  }

  const limits = {
    pauseWindow,
    maxRetryWait: target.maxRetryWait,
    queue: target.queue,
    tooMany: concurrencyControl.parallelismRefused,
    answered: rates.read,
    onEvent: emit,
  }
  const budget = createRetryBudget(RETRY_BUDGET_SHARE)
  const address = targetAddress(target.url.origin + target.url.apiRoot)

  const idempotency = {
    origin: target.url.origin,
    apiRoot: target.url.apiRoot,
    salt: saltOf(target),
    state,
    keepBody,
    onEvent: emit,
  }

  const send = chain(
    [
      () => explainFailures(timeouts),
      () => limitTotalTime(deadlines),
      keepDeadline,
      (next) => bufferBody(next, keepBody),
      (next) => rewriteRequestBody(next, bodyLimit),
      (next) => idempotentCreates(next, idempotency),
      () => turnAwayWhileOpen(circuit),
      (next) => respectLimits(next, limits), // waits before it acquires the semaphore
      (next) => limitUploads(next, uploads),
      (next) => limitConcurrency(next, concurrencyControl.semaphore),
      concurrencyControl.measure,
      (next) => breakCircuit(next, circuit),
      (next) => retry(next, budget, emit),
      (next) => authorize(next, credential, emit), // the last stage, so that each attempt has a currently valid token
    ],
    longReads(dispatch(agent, target.url.origin, timeouts, gate), address),
  )

  return {
    send,
    state: () => ({
      ...concurrencyControl.semaphore.state(),
      ...concurrencyControl.state(),
      circuit: circuit.isOpen() ? 'open' : 'closed',
      pauseMs: pauseWindow.remaining(),
      waitingForPause: pauseWindow.waiting(),
      rates: rates.last(),
    }),
  }
}
