import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Logger } from 'pino'

import type { ConnectedCredential } from '../credentials/connect-credential.ts'
import type { RequestRecord } from '../dynamics/request-record.ts'
import { isRead } from '../odata/methods.ts'
import { beginExchange } from '../server/exchange.ts'
import type { Exchange } from '../server/exchange.ts'
import type { Activity } from './activity.ts'
import { explanationOf } from './explain-request.ts'
import type { ReachedTarget } from './explain-request.ts'
import type { Captured } from './inspector/capture.ts'
import { finishedOf } from './inspector/finished-request.ts'
import type { Inspector } from './inspector/inspector.ts'
import type { Metrics } from './metrics.ts'
import { isFault, requestFacts } from './request-facts.ts'
import type { RequestFacts } from './request-facts.ts'
import { requestLog } from './request-line.ts'
import type { RequestDone } from './request-metrics.ts'
import type { Tracer } from './tracing/tracer.ts'

/** What is observed of the target of a request. */
interface ObservedTarget {
  readonly target: ReachedTarget['target']
  readonly credential: Pick<ConnectedCredential, 'state'>
  readonly activity: Pick<Activity, 'requestDone' | 'faulted'>
}

interface Observers {
  readonly log: Logger
  readonly metrics: Pick<Metrics, 'requestDone'>
  readonly tracer: Tracer | undefined
  readonly inspector: Inspector | undefined
  /** The target of a request; `undefined` if it was refused before. */
  readonly targetOf: (record: RequestRecord) => ObservedTarget | undefined
}

/** Makes the first hook of each request. It starts the exchange, whose end is logged, counted, traced and shown. */
export function observeRequests({ log, metrics, tracer, inspector, targetOf }: Observers): onRequestHookHandler {
  const logRequest = requestLog(log)
  /** What the inspector records of exchanges. */
  const captures = new WeakMap<Exchange, () => Captured>()
  return (request, reply, next) => {
    const { originalUrl: target, raw } = request
    const isOwn = target.startsWith('/-/')
    const captured = isOwn ? undefined : inspector?.capture({ target, request: raw, response: reply.raw })
    const exchange = beginExchange(request, reply, done)
    if (captured !== undefined) captures.set(exchange, captured)
    if (!isOwn) tracer?.begin(exchange.record)
    next()
  }

  function done(request: FastifyRequest, reply: FastifyReply): void {
    const facts = requestFacts(request, reply)
    logRequest(facts)
    if (facts.entitySet !== 'gateway') ended(request, reply, facts)
  }

  function ended(request: FastifyRequest, reply: FastifyReply, facts: RequestFacts): void {
    const { exchange } = request
    const { record, code } = exchange
    const { status } = facts
    metrics.requestDone(doneOf(exchange, facts))
    const observed = targetOf(record)
    tracer?.end({ facts, record, isEncrypted: 'encrypted' in request.raw.socket, environment: observed?.target.url })
    observed?.activity.requestDone(facts)
    const isExplained = code !== undefined && isFault(facts)
    if (!isExplained && inspector === undefined) return
    const reached =
      observed === undefined
        ? undefined
        : { target: observed.target, lastFailure: observed.credential.state().lastFailure }
    if (isExplained) observed?.activity.faulted(explanationOf(exchange, reached, status)!)
    inspector?.add(finishedOf(request, reply, facts, reached, captures.get(exchange)?.()))
  }
}

/** A finished request in the form of metrics. */
function doneOf(exchange: Exchange, { method, status, caller, code, ms }: RequestFacts): RequestDone {
  const { record, timings, gatewayMs } = exchange
  return {
    target: record.defaultUser === undefined ? 'none' : (record.target ?? 'dynamics'),
    code: code?.replace('GATEWAY_', ''),
    traceId: record.trace?.spanId !== undefined && record.trace.sampled ? record.trace.traceId : undefined,
    method,
    status,
    caller,
    source: isRead(method) && code === undefined ? record.source : undefined,
    own: gatewayMs ?? ms,
    wait: timings.wait,
    dynamics: timings.dynamics,
    connection: record.connection,
    pages: record.pages,
    rows: record.rows,
  }
}
