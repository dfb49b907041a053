import type { FastifyReply, FastifyRequest } from 'fastify'
import type { DestinationStream, Logger, LoggerOptions } from 'pino'
import { pino } from 'pino'

import type { Settings } from '../config/schema.ts'
import { loggedError } from '../logged-error.ts'
import { entitySetOf } from '../odata/entity-set.ts'
import { ClientDisconnected } from '../server/exchange.ts'
import { formatMs } from '../server/format-ms.ts'
import { batchedStdout } from './gathered.ts'
import type { AtExit } from './gathered.ts'

/** The process' log: JSON, a line a fact; pretty where a person watches a terminal. */
export async function createLog(
  { logLevel, logFormat }: Pick<Settings, 'logLevel' | 'logFormat'>,
  atExit: AtExit,
): Promise<Logger> {
  const options = logOptions(logLevel)
  if (logFormat === 'pretty' || (logFormat === 'auto' && process.stdout.isTTY)) {
    const { default: pretty } = await import('pino-pretty')
    return pino(
      options,
      pretty({ sync: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' }),
    )
  }
  return pino(options, batchedStdout(atExit))
}

/** How lines are made: an error among the facts, under whatever name, becomes a list of fields. */
export function logOptions(level: string): LoggerOptions {
  return {
    level,
    base: null,
    formatters: { level: (level) => ({ level }), log: withoutErrors },
    // pino's own serializer writes an error's message, its stack and whatever else it carries.
    serializers: { err: (value: unknown) => value },
    hooks: {
      logMethod(words, method) {
        // pino takes the message of an error that stands alone, or that has no sentence beside it.
        const [first, sentence = 'something failed'] = words as unknown as [unknown, string?]
        const failed = first instanceof Error || (first as { err?: unknown } | undefined)?.err instanceof Error
        if (!failed) return method.apply(this, words)
        method.apply(this, [first instanceof Error ? { err: first } : (first as object), sentence])
      },
    },
  }
}

function withoutErrors(facts: object): Record<string, unknown> {
  const plain = facts as Record<string, unknown>
  return Object.values(plain).some((value) => value instanceof Error)
    ? Object.fromEntries(
        Object.entries(plain).map(([name, value]) => [name, value instanceof Error ? loggedError(value) : value]),
      )
    : plain
}

/** What a line about a request says. Never its query, body, headers or e-mail address. */
export interface RequestFacts {
  readonly id: string
  readonly method: string
  readonly entitySet: string
  readonly status: number
  /** Milliseconds, however finely they were measured. */
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
    entitySet: exchange.record.entitySet ?? entitySetOf(originalUrl),
    // 499 is what proxies write for callers that left.
    status:
      exchange.cancellation.reason instanceof ClientDisconnected && !reply.raw.headersSent ? 499 : reply.raw.statusCode,
    ms: performance.now() - exchange.started,
    caller: (caller as typeof caller | undefined)?.name ?? 'unknown',
    callerId: user !== undefined,
    code: exchange.code,
    causes: exchange.causes,
  }
}

/**
 * Writes the one line about a request to where `log` writes, in the form that {@link createLog} gives it: pino takes
 * three microseconds to find out of what kind every fact is.
 */
export function requestLog(log: Logger): (facts: RequestFacts) => void {
  const { [pino.symbols.streamSym]: stream } = log as Logger & { [pino.symbols.streamSym]: DestinationStream }
  return (facts) => {
    const level = facts.status >= 500 ? 'warn' : 'info'
    if (log.isLevelEnabled(level)) stream.write(lineOf(level, facts))
  }
}

function lineOf(level: string, { id, method, entitySet, status, ms, caller, callerId, code, causes }: RequestFacts) {
  const reasons =
    (code === undefined ? '' : `,"code":${JSON.stringify(code)}`) +
    (causes === undefined ? '' : `,"causes":${JSON.stringify(causes)}`)
  // Ids, methods and entity sets hold no character that JSON escapes.
  return (
    `{"level":"${level}","time":${Date.now()},"id":"${id}","method":"${method}","entitySet":"${entitySet}"` +
    `,"status":${status},"ms":${formatMs(ms)},"caller":${JSON.stringify(caller)},"callerId":${callerId}${reasons}` +
    ',"msg":"request"}\n'
  )
}
