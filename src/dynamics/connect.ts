import type { Target } from '../config/schema.ts'
import type { AccessTokens } from '../credentials/credential.ts'
import type { Logger } from '../logger.ts'
import { targetAddress } from '../odata/target-address.ts'
import type { OutboundAgent } from '../outbound/agent.ts'
import type { SharedState } from '../replicas/shared-state.ts'
import { authorize } from './authorize.ts'
import { breakCircuit, createCircuit, turnAwayWhileOpen } from './circuit.ts'
import { limitConcurrency } from './concurrency/limit.ts'
import { createSemaphore } from './concurrency/semaphore.ts'
import { createUploadShare, limitUploads } from './concurrency/upload-share.ts'
import { createDeadlines, keepDeadlines } from './deadline.ts'
import { dispatch } from './dispatch.ts'
import type { Gate } from './dispatch.ts'
import { logEvents } from './events.ts'
import type { DynamicsEvent, OnEvent } from './events.ts'
import { explainFailures } from './failures.ts'
import { idempotentCreates } from './idempotency/idempotent-creates.ts'
import { saltOf } from './idempotency/salt.ts'
import { bufferBody } from './keep-body.ts'
import type { Rates } from './limits/parse.ts'
import { createPauseWindow } from './limits/pause.ts'
import { readRates } from './limits/rates.ts'
import { PAUSED, respectLimits } from './limits/service-protection.ts'
import { longReads } from './long-reads.ts'
import { createRetryBudget } from './retry-budget.ts'
import { retry } from './retry.ts'
import { rewriteRequestBody } from './rewrite-request-body.ts'
import type { Send } from './send.ts'

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
  /** For requests that bring no tokens of their own. */
  readonly credential: AccessTokens
  /** Is told what happens, beside the log. */
  readonly onEvent: OnEvent
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** The largest body that a caller may send, in bytes. */
  readonly bodyLimit: number
  /** What is remembered of creates with an idempotency key. */
  readonly state: SharedState
}

/** Share of requests that may be retried. */
const RETRY_BUDGET_SHARE = 0.2

/** How to speak to `target`. */
export function connect(
  target: Target,
  { agent, credential, onEvent: counted, log, bodyLimit, state }: ConnectOptions,
): Connection {
  const line = logEvents(log, target.name)
  function watch(event: DynamicsEvent): void {
    line(event)
    counted(event)
  }
  const timeouts = { connect: target.connectTimeout, head: target.requestTimeout, idle: target.idleTimeout }
  const keepBody = Math.min(target.keepBody, bodyLimit)
  const hold = createPauseWindow()
  const semaphore = createSemaphore({ most: target.concurrency, queue: target.queue, watch })
  const circuit = createCircuit(watch)
  const deadlines = createDeadlines(target.totalTimeout)
  const uploads = createUploadShare({ most: target.concurrency, queue: target.queue, watch })
  const rates = readRates(
    {
      suggest(parallel) {
        semaphore.suggest(parallel)
        uploads.suggest(parallel)
      },
    },
    watch,
  )
  const gate: Gate = {
    holdReason: (cancellation) => (hold.shouldHold(cancellation) ? PAUSED : undefined),
    connected: circuit.connected,
  }

  const limits = {
    hold,
    maxRetryWait: target.maxRetryWait,
    queue: target.queue,
    tooMany: semaphore.lower,
    answered: rates.read,
    onEvent: watch,
  }
  const budget = createRetryBudget(RETRY_BUDGET_SHARE)
  const address = targetAddress(target.url.origin + target.url.apiRoot)

  const idempotency = {
    origin: target.url.origin,
    apiRoot: target.url.apiRoot,
    salt: saltOf(target),
    state,
    keepBody,
    watch,
  }

  const send = chain(
    [
      (next) => explainFailures(next, timeouts),
      (next) => keepDeadlines(next, deadlines),
      (next) => bufferBody(next, keepBody),
      (next) => rewriteRequestBody(next, bodyLimit),
      (next) => idempotentCreates(next, idempotency),
      (next) => turnAwayWhileOpen(next, circuit),
      (next) => respectLimits(next, limits), // waits without a place
      (next) => limitUploads(next, uploads),
      (next) => limitConcurrency(next, semaphore),
      (next) => breakCircuit(next, circuit),
      (next) => retry(next, budget, watch),
    ],
    // Innermost, so that each attempt has a token that is valid then.
    authorize(longReads(dispatch(agent, target.url.origin, timeouts, gate), address), credential, watch),
  )

  return {
    send,
    state: () => ({
      ...semaphore.state(),
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

/** Adds one concern to a `Send`: what happens before a request goes to `next`, and after its response. */
type Wrapper = (next: Send) => Send

/** Wraps `innermost` so that a request meets `wrappers` in the order in which they are listed. */
function chain(wrappers: readonly Wrapper[], innermost: Send): Send {
  return wrappers.reduceRight((next, wrap) => wrap(next), innermost)
}
