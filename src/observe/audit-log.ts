import { closeSync, openSync } from 'node:fs'

import { lineDestination } from './line-destination.ts'

/** The log with one line for every write. */
export interface AuditLog {
  readonly write: (lines: readonly AuditLine[]) => void
  /** Opens a new file after the old one was renamed. */
  readonly reopen: () => void
  /** Flushes buffered lines. */
  readonly close: () => void
}

/** One write: caller, user, operation, row and result. */
export interface AuditLine {
  readonly time: string
  readonly requestId: string
  /** The request's id at Dynamics, for Microsoft's support. */
  readonly dynamicsRequestId: string | undefined
  readonly caller: string
  /** `systemuserid` of the impersonated user; without this and the next field: the application user. */
  readonly user: string | undefined
  /** Object id of that user in Entra. */
  readonly userObjectId: string | undefined
  /** Object id of the person whose token the caller sent, if the write ran as another user. */
  readonly signedInObjectId: string | undefined
  readonly target: string | undefined
  readonly method: string
  readonly entitySet: string
  /** The row's id, or its raw alternate key. */
  readonly recordId: string | undefined
  /** 499 when the caller disconnected before the response. */
  readonly status: number
  /** The gateway's own error, if it was one. */
  readonly code: string | undefined
  /** The part of a `$batch`, counted from 1; `status` is that of the batch then. */
  readonly part: number | undefined
}

/**
 * Opens the audit log.
 *
 * @param where `stdout`, `stderr`, or the path of a file, which is appended to and readable by its owner only
 * @throws when the file cannot be written
 */
export function openAuditLog(where: string, failed: (error: Error) => void): AuditLog {
  const dest = where === 'stdout' ? 1 : where === 'stderr' ? 2 : where
  if (typeof dest === 'string') closeSync(openSync(dest, 'a', OWNER_ONLY))
  const destination = lineDestination({ dest, sync: false, append: true, mode: OWNER_ONLY }, failed)
  return {
    write: (lines) => {
      for (const line of lines) destination.write(`${JSON.stringify(line)}\n`)
    },
    reopen: () => {
      if (typeof dest === 'string') destination.reopen()
    },
    close: () => destination.flushSync(),
  }
}

const OWNER_ONLY = 0o600
