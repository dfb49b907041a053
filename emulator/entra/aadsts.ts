import { randomUUID } from 'node:crypto'

import type { Reply } from '../http/operation.ts'
import { type ErrorDetails, errorText } from './aadsts-texts.ts'
import { entraJson } from './json.ts'

/** An error of Entra by its AADSTS number. */
export class EntraError extends Error {
  readonly number: number
  readonly details: ErrorDetails

  constructor(number: number, details: ErrorDetails = {}) {
    super(`AADSTS${number}`)
    this.number = number
    this.details = details
  }
}

/** The response of Entra for an AADSTS number. */
export function entraErrorReply(number: number, details: ErrorDetails = {}): Reply {
  const { status, error, description, suberror } = errorText(number, details)
  const timestamp = new Date()
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')
  const [trace, correlation] = [randomUUID(), randomUUID()]
  return entraJson(status, {
    error,
    error_description: `AADSTS${number}: ${description} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
    error_codes: [number],
    timestamp,
    trace_id: trace,
    correlation_id: correlation,
    error_uri: `https://login.microsoftonline.com/error?code=${number}`,
    ...(details.claims === undefined ? {} : { claims: details.claims }),
    ...(suberror === undefined ? {} : { suberror }),
  })
}
