import type { DestinationStream, Logger } from 'pino'
import { pino } from 'pino'

import { hasWaited } from '../dynamics/send.ts'
import type { Timings } from '../dynamics/send.ts'
import { cachedByText } from '../odata/cached-by-text.ts'
import { formatMs } from '../server/format-ms.ts'
import type { BatchedDestination } from './batched-stdout.ts'
import { isFault } from './request-facts.ts'
import type { RequestFacts } from './request-facts.ts'

/** The log level of a request's line. Successful probes are not worth a line. */
export function levelOf(facts: Pick<RequestFacts, 'status' | 'code' | 'entitySet'>): 'debug' | 'info' | 'warn' {
  if (isFault(facts)) return 'warn'
  const { entitySet, status } = facts
  return entitySet === 'gateway' && status < 400 ? 'debug' : 'info'
}

/**
 * Writes the line of a request to the destination of `log`, in the form of `createLog`. pino takes three
 * microseconds to determine the type of every field.
 */
export function requestLog(log: Logger): (facts: RequestFacts) => void {
  const { [pino.symbols.streamSym]: stream } = log as Logger & {
    [pino.symbols.streamSym]: DestinationStream & Partial<BatchedDestination>
  }
  const write: BatchedDestination['writeLater'] =
    stream.writeLater ?? ((format, value) => void stream.write(format(value)))
  return (facts) => {
    if (log.isLevelEnabled(levelOf(facts))) write(lineOf, facts)
  }
}

/** Hand-written JSON, see docs/decisions/log-line.md. Missing fields are omitted. */
function lineOf(facts: RequestFacts): string {
  const {
    timings,
    code,
    dynamicsCode,
    user,
    connection,
    dynamicsRequestId,
    traceId,
    target,
    parts,
    pages,
    rows,
    causes,
    source,
    priority,
  } = facts
  // Ids, methods, entity sets and codes of the gateway contain no characters that JSON escapes.
  return (
    `${lineStart(levelOf(facts))}${facts.endedAt},"id":"${facts.id}"` +
    (traceId === undefined ? '' : `,"traceId":"${traceId}"`) +
    (target === undefined ? '' : `,"target":"${target}"`) +
    `,"method":"${facts.method}","entitySet":"${facts.entitySet}","status":${facts.status}` +
    (code === undefined ? '' : `,"code":${JSON.stringify(code)}`) +
    (dynamicsCode === undefined ? '' : `,"dynamicsCode":"${dynamicsCode}"`) +
    `,"ms":${formatMs(facts.ms)}${hasWaited(timings) ? waitsText(timings) : NO_WAITS}${formatMs(timings.dynamics)}` +
    callerText(facts.caller) +
    (user === undefined ? '' : `,"user":"${user}"`) +
    (source === undefined ? '' : `,"source":"${source}"`) +
    (priority === undefined ? '' : `,"priority":"${priority}"`) +
    (facts.attempts === 1 && facts.sent ? SENT_ONCE : attemptsText(facts)) +
    (connection === undefined ? '' : connectionText(connection)) +
    (dynamicsRequestId === undefined
      ? ''
      : `,"dynamicsRequestId":${PLAIN.test(dynamicsRequestId) ? `"${dynamicsRequestId}"` : JSON.stringify(dynamicsRequestId)}`) +
    (parts === undefined ? '' : `,"parts":"${parts}"`) +
    (pages === undefined ? '' : `,"pages":${pages},"rows":${rows}`) +
    (causes === undefined ? '' : `,"causes":${JSON.stringify(causes)}`) +
    ',"msg":"request"}\n'
  )
}

function attemptsText({ attempts, sent }: Pick<RequestFacts, 'attempts' | 'sent'>): string {
  return `,"attempts":${attempts},"sent":${sent}`
}

/** The usual text. */
const SENT_ONCE = attemptsText({ attempts: 1, sent: true })

/** Text that JSON does not escape. */
const PLAIN = /^[\w-]*$/

// Each piece of a line is an object for V8. These have few different texts.

const lineStart = cachedByText((level) => `{"level":"${level}","time":`)

const callerText = cachedByText((name) => `,"caller":${JSON.stringify(name)}`)

const connectionText = cachedByText((use) => `,"connection":"${use}"`)

function waitsText({ token, user, wait }: Omit<Timings, 'dynamics'>): string {
  return `,"tokenMs":${formatMs(token)},"userMs":${formatMs(user)},"waitMs":${formatMs(wait)},"dynamicsMs":`
}

/** The usual text. */
const NO_WAITS = waitsText({ token: 0, user: 0, wait: 0 })
