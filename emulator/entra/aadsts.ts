import { randomUUID } from 'node:crypto'

import type { Reply } from '../http/operation.ts'
import { type Circumstances, faultOf } from './aadsts-texts.ts'
import { entraJson } from './json.ts'

/** An error of Entra by its AADSTS number. */
export class EntraError extends Error {
  readonly number: number
  readonly circumstances: Circumstances

  constructor(number: number, circumstances: Circumstances = {}) {
    super(`AADSTS${number}`)
    this.number = number
    this.circumstances = circumstances
  }
}

/** The answer of Entra for an AADSTS number. */
export function entraAnswer(number: number, circumstances: Circumstances = {}): Reply {
  const { status, error, description, suberror } = faultOf(number, circumstances)
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
    ...(circumstances.claims === undefined ? {} : { claims: circumstances.claims }),
    ...(suberror === undefined ? {} : { suberror }),
  })
}
