import type { RequestRecord, UserSource } from '../../dynamics/request-record.ts'
import type { ConnectionUse } from '../../outbound/pooled-connection.ts'
import { partsInWords } from '../request-facts.ts'
import type { FinishedRequest } from './finished-request.ts'
import type { Fact } from './record.ts'

/** Who called, what the rules decided, as whom the request ran and what reached Dynamics, in words. */
export function factsOf({ exchange: { record }, facts, caller, user, reached }: FinishedRequest): Fact[] {
  const { trace, dynamicsRequestId, parts, pages, rows, connection } = record
  return [
    ['Caller', facts.caller],
    ['Rules', rulesOf(caller, record)],
    ['Ran as', user === undefined ? withoutUser(record) : `${userIdOf(user)}, ${foundBy(record.userSource)}`],
    ...(reached === undefined ? [] : [['Environment', reached.target.url.origin] as const]),
    ['Sent to Dynamics', sentOf(record)],
    ...(connection === undefined ? [] : [['Connection', CONNECTIONS[connection]] as const]),
    ...(record.priority === 'interactive' ? [] : [['Priority', record.priority] as const]),
    ...(record.slot === 0 ? [] : [['Concurrency slot', `${record.slot} of ${record.slots}`] as const]),
    ...(parts === undefined ? [] : [['Parts of the batch', partsInWords(parts)] as const]),
    ...(pages === 0 ? [] : [['Rows', `${rows} from ${pages} ${pages === 1 ? 'page' : 'pages'}`] as const]),
    ['Request id', record.id],
    ...(dynamicsRequestId === undefined ? [] : [['Request id at Dynamics', dynamicsRequestId] as const]),
    ...(trace === undefined ? [] : [['Trace id', trace.traceId] as const]),
  ]
}

const CONNECTIONS: Readonly<Record<ConnectionUse, string>> = {
  new: 'opened for this request',
  reserve: 'opened ahead, and kept in reserve',
  reused: 'used before',
}

function rulesOf(caller: FinishedRequest['caller'], { denialReason, allowedBy }: RequestRecord): string {
  if (caller === undefined) return 'not evaluated: the request was refused before'
  const { rules, dryRun } = caller.policy
  if (denialReason !== undefined) return `${dryRun ? 'would refuse' : 'refuse'}: ${denialReason}`
  if (allowedBy !== undefined) return `allow it: ${[...allowedBy].join('; ')}`
  return rules.length === 0 ? 'none: the caller has all rights of the user' : 'allow it: none of them refuses it'
}

function userIdOf({ systemUserId, objectId }: NonNullable<FinishedRequest['user']>): string {
  return systemUserId ?? `Entra object id ${objectId}`
}

function foundBy(source: UserSource | undefined): string {
  switch (source) {
    case 'memory':
      return 'found in memory'
    case 'lookup':
      return 'looked up in Dynamics'
    case 'token':
      return "named by the caller's token"
    case 'on-behalf-of':
      return "the caller's own token, exchanged by Entra"
    case 'caller-id':
      return 'named by the caller, by id'
    case undefined:
      return 'found'
  }
}

function withoutUser({ attempts, defaultUser, userSource, source }: RequestRecord): string {
  if (attempts > 0 || source !== 'dynamics')
    return `the ${defaultUser ?? 'application user'}: the request names no user`
  return userSource === undefined ? 'none: it was not sent' : 'none: the user is ambiguous or unknown'
}

function sentOf({ sent, attempts, source }: RequestRecord): string {
  if (source === 'memory') {
    return attempts > 0
      ? "yes: Dynamics confirmed the row in the gateway's memory (304)"
      : "no: answered from the gateway's memory"
  }
  if (source === 'shared') return 'no: shares the response to another request'
  if (!sent) return attempts > 0 ? 'no: the connection failed before' : 'no'
  return attempts === 1 ? 'yes' : `yes, in ${attempts} attempts`
}
