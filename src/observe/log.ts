import type { FastifyReply, FastifyRequest } from 'fastify'
import type { DestinationStream, Logger } from 'pino'
import { pino } from 'pino'

import type { Settings } from '../config.ts'
import { CallerLeft } from '../exchange.ts'

/** An entity set, function or action at the beginning of a path; keys and all that follows may be personal. */
const ENTITY_SET = /^\/*(?:api\/data\/v\d+\.\d+\/)?([$A-Za-z_][\w.]{0,99})(?=[/(?]|$)/

/** Has `writeOut` called when the process ends, also all of a sudden: the last lines say why. */
type AtExit = (writeOut: () => void) => void

/** The process' log: JSON, a line a fact; pretty where a person watches a terminal. */
export async function createLog(
  { logLevel, logFormat }: Pick<Settings, 'logLevel' | 'logFormat'>, atExit: AtExit,
): Promise<Logger> {
  const options = { level: logLevel, base: null, formatters: { level: (level: string) => ({ level }) } }
  if (logFormat === 'pretty' || (logFormat === 'auto' && process.stdout.isTTY)) {
    const { default: pretty } = await import('pino-pretty')
    return pino(
      options, pretty({ sync: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' }),
    )
  }
  return pino(options, gathered(atExit))
}

/**
 * How long a line waits for others, in milliseconds, so that a busy gateway writes many at once: a write wakes another
 * thread, which takes as long as several requests.
 */
const GATHER = 50

/** So many lines are written at once at most: more of them would take fresh memory each time. */
const MOST = 100

/** How long a process that ends all of a sudden waits for a write that is under way, in milliseconds. */
const OVERTAKEN = 100

function gathered(atExit: AtExit): DestinationStream & { flush: (done?: (error?: Error) => void) => void } {
  let due: NodeJS.Timeout | undefined
  let lines: string[] = []
  let onTheWay = false
  // Ahead of pino, which writes at the exit as well, and does not wait.
  atExit(() => {
    // What another thread is about to write comes first.
    if (onTheWay) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OVERTAKEN)
    writeOut()
    out.flushSync()
  })
  const out = pino.destination({ dest: 1, sync: false, minLength: 15 * 1024 })
  out.on('drain', () => { onTheWay = false })
  return {
    write: (line) => {
      lines.push(line)
      if (lines.length === MOST) return writeOut()
      due ??= setTimeout(() => {
        due = undefined
        writeOut()
      }, GATHER)
    },
    flush: (done) => {
      writeOut()
      out.flush(done)
    },
  }

  /** As one text: that of each line would be looked through and copied three times. */
  function writeOut(): void {
    if (lines.length === 0) return
    out.write(lines.join(''))
    lines = []
    onTheWay = true
    out.flush()
  }
}

/** What a line about a request says. Never its query, body, headers or e-mail address. */
export interface RequestFacts {
  readonly id: string
  readonly method: string
  readonly entitySet: string
  readonly status: number
  readonly ms: number
  readonly caller: string
  /** Whether Dynamics acted as a user. */
  readonly callerId: boolean
  readonly code: string | undefined
  readonly causes: readonly string[] | undefined
}

/** Gathers the facts of a finished request. */
export function requestFacts(request: FastifyRequest, reply: FastifyReply): RequestFacts {
  const { exchange, caller, user, raw, originalUrl } = request
  return {
    id: exchange.id,
    method: raw.method ?? '',
    entitySet: ENTITY_SET.exec(originalUrl)?.[1] ?? (originalUrl.startsWith('/-/') ? 'gateway' : 'other'),
    // 499 is what proxies write for callers that left.
    status: exchange.reason instanceof CallerLeft && !reply.raw.headersSent ? 499 : reply.raw.statusCode,
    ms: Math.round((performance.now() - exchange.started) * 10) / 10,
    caller: (caller as typeof caller | undefined)?.name ?? 'unknown',
    callerId: user !== undefined,
    code: exchange.code,
    causes: exchange.causes,
  }
}

/** Writes the one line about a request. */
export function logRequest(log: Logger, facts: RequestFacts): void {
  if (facts.status >= 500) log.warn(facts, 'request')
  else log.info(facts, 'request')
}
