import type { Logger, LoggerOptions } from 'pino'
import { pino } from 'pino'

import type { Settings } from '../config/schema.ts'
import { loggedError } from '../logging/logged-error.ts'
import { batchedStdout } from './batched-stdout.ts'
import type { AtExit } from './batched-stdout.ts'
import { lineDestination } from './line-destination.ts'
import { terminalLine } from './terminal-line.ts'

/** The log of the process: one JSON object a line, or short lines on a terminal. */
export function createLog({ logLevel, logFormat }: Pick<Settings, 'logLevel' | 'logFormat'>, atExit: AtExit): Logger {
  const options = logOptions(logLevel)
  if (logFormat === 'pretty' || (logFormat === 'auto' && process.stdout.isTTY)) {
    const colour = usesColour(process.stdout, process.env)
    const stdout = lineDestination({ dest: 1, sync: true }, () => undefined)
    return pino(options, {
      write: (line) => void stdout.write(terminalLine(JSON.parse(line) as Record<string, unknown>, colour)),
    })
  }
  return pino(options, batchedStdout(atExit))
}

/** @see https://no-color.org */
export function usesColour({ isTTY }: Pick<NodeJS.WriteStream, 'isTTY'>, env: NodeJS.Dict<string>): boolean {
  return isTTY && (env['NO_COLOR'] ?? '') === ''
}

/** Options of pino: an error among the facts, under any name, becomes a list of fields. */
export function logOptions(level: string): LoggerOptions {
  return {
    level,
    base: null,
    formatters: { level: (level) => ({ level }), log: withoutErrors },
    // pino's own serializer writes an error's message, its stack and all its properties.
    serializers: { err: (value: unknown) => value },
    hooks: {
      logMethod(words, method) {
        // pino uses the message of an error that is logged alone or without a sentence.
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
