import { randomUUID } from 'node:crypto'

import { challenge } from '../dataverse/challenge.ts'
import { entraErrorReply } from '../entra/aadsts.ts'
import type { DataverseFault, EntraFault, Limit, TransportFault } from './faults.ts'
import type { Header, Reply } from './operation.ts'

/** The response with which a fault of Dataverse replaces the real one; `undefined` when it does not replace it. */
export function dataverseFaultReply(fault: DataverseFault, origin: string): Reply | undefined {
  switch (fault.kind) {
    case 'throttle':
      return throttled(fault.limit ?? 'count', fault.retryAfter ?? 1, fault.asDate === true)
    case 'deadlock':
      return odataError(
        500,
        '0x80044150',
        'SQL Server error calling BeginTransaction: Transaction was ' +
          'deadlocked on lock resources with another process and has been chosen as the deadlock victim. ' +
          'Sql Number: 1205',
      )
    case 'challenge':
      return challenge(origin, fault.claims)
    default:
      return sharedAnswer(fault)
  }
}

/** The response with which a fault of Entra replaces the real one; `undefined` when it does not replace it. */
export function entraFaultReply(fault: EntraFault): Reply | undefined {
  const json: readonly Header[] = [['Content-Type', 'application/json; charset=utf-8']]
  switch (fault.kind) {
    case 'aadsts':
      return entraErrorReply(fault.number)
    case 'throttle':
      return {
        status: 429,
        headers: fault.retryAfter === undefined ? json : [...json, ['Retry-After', String(fault.retryAfter)]],
        body: '{"error":"temporarily_unavailable","error_codes":[90055]}',
      }
    case 'empty':
      return { status: 200, headers: json, body: '' }
    case 'null':
      return { status: 200, headers: json, body: 'null' }
    case 'garbage':
      return { status: 200, headers: json, body: '{"token_type":"Bearer","access_to' }
    case 'no token':
      return { status: 200, headers: json, body: '{"token_type":"Bearer","expires_in":3599}' }
    case 'crash':
      return { status: 500, headers: [['Content-Type', 'text/plain']], body: 'Object reference not set.' }
    default:
      return sharedAnswer(fault)
  }
}

/** 429 of the service protection limits. */
export function throttled(limit: Limit, seconds: number, asDate: boolean): Reply {
  const [code, message] = limits[limit]
  const retryAfter = asDate ? new Date(Date.now() + seconds * 1000).toUTCString() : String(seconds)
  return odataError(429, code, message, [['Retry-After', retryAfter]])
}

const limits: Readonly<Record<Limit, readonly [code: string, message: string]>> = {
  count: ['0x80072322', 'Number of requests exceeded the limit of 6000 over time window of 300 seconds.'],
  time: [
    '0x80072321',
    'Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over ' +
      'time window of 300 seconds. Decrease number of concurrent requests or reduce the duration of requests and try ' +
      'again later.',
  ],
  concurrency: ['0x80072326', 'Number of concurrent requests exceeded the limit of 52.'],
}

function sharedAnswer(fault: TransportFault): Reply | undefined {
  switch (fault.kind) {
    case 'answer':
      return {
        status: fault.status,
        headers: Object.entries(fault.headers ?? { 'Content-Type': 'application/json; odata.metadata=minimal' }),
        ...(fault.body === undefined ? {} : { body: fault.body }),
      }
    case 'html':
      return {
        status: fault.status ?? 502,
        headers: [['Content-Type', 'text/html']],
        body:
          '<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body><h1>502 - Web server received an ' +
          'invalid response while acting as a gateway or proxy server.</h1></body></html>',
      }
    case 'unavailable': {
      const { retryAfter } = fault
      const value = retryAfter === 'date' ? new Date(Date.now() + 2000).toUTCString() : String(retryAfter)
      const headers: readonly Header[] = retryAfter === undefined ? [] : [['Retry-After', value]]
      return odataError(503, '0x80040216', 'The service is unavailable.', headers)
    }
    default:
      return undefined
  }
}

function odataError(status: number, code: string, message: string, headers: readonly Header[] = []): Reply {
  return {
    status,
    headers: [['Content-Type', 'application/json; odata.metadata=minimal'], ...headers, ['REQ_ID', randomUUID()]],
    body: JSON.stringify({ error: { code, message } }),
  }
}
