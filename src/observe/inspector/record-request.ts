import type { AttemptRecord, RequestRecord, UserSource, WaitReason } from '../../dynamics/request-record.ts'
import { errorWord } from '../../logging/logged-error.ts'
import type { ConnectionUse } from '../../outbound/pooled-connection.ts'
import type { Exchange } from '../../server/exchange.ts'
import { explanationOf } from '../explain-request.ts'
import type { Asked } from '../explain-request.ts'
import { partsInWords } from '../request-line.ts'
import { blanked, isPlain } from './blank.ts'
import type { FinishedRequest } from './finished-request.ts'
import type { Attempt, Fact, HeaderLine, InspectorRecord } from './record.ts'

/** The inspector's record of a finished request. */
export function recordOf(finished: FinishedRequest): InspectorRecord {
  const { at, method, requestTarget, rawHeaders, facts, exchange, asked, ownHeaders, captured } = finished
  const { record, responseHeaders } = exchange
  const { status, ms, entitySet, caller } = facts
  return {
    id: exchange.id,
    at,
    method,
    path: blanked(requestTarget),
    entitySet,
    target: asked?.target.name,
    status,
    code: exchange.code ?? record.dynamicsCode,
    ms: rounded(ms),
    caller,
    user: facts.user,
    explanation: explanationOf(exchange, asked, status),
    facts: factsOf(finished),
    times: timesOf(exchange, ms),
    attempts: attemptsOf(record),
    isPlain: asked !== undefined && isPlain(requestTarget) && !finished.namesUser,
    responder: responseHeaders !== undefined && exchange.code === undefined ? 'Dynamics' : 'gateway',
    requestHeaders: namesOf(rawHeaders),
    responseHeaders: namesOf(ownHeaders?.flatMap((name) => [name, '']) ?? responseHeaders ?? []),
    captured:
      captured === undefined
        ? undefined
        : { ...captured, target: requestTarget, headers: shownHeaders(rawHeaders, asked) },
  }
}

function factsOf({ exchange: { record }, facts, caller, user, asked }: FinishedRequest): Fact[] {
  const { trace, dynamicsRequestId, parts, pages, rows, connection } = record
  return [
    ['Caller', facts.caller],
    ['Rules', rulesOf(caller, record)],
    ['Ran as', user === undefined ? withoutUser(record) : `${userIdOf(user)}, ${foundBy(record.userSource)}`],
    ...(asked === undefined ? [] : [['Environment', asked.target.url.origin] as const]),
    ['Sent to Dynamics', sentOf(record)],
    ...(connection === undefined ? [] : [['Connection', CONNECTIONS[connection]] as const]),
    ...(record.priority === 'interactive' ? [] : [['Priority', record.priority] as const]),
    ...(record.place === 0 ? [] : [['Place at Dynamics', `${record.place} of ${record.places}`] as const]),
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

function rulesOf(caller: FinishedRequest['caller'], { objection, allowedBy }: RequestRecord): string {
  if (caller === undefined) return 'not evaluated: the request was refused before'
  const { rules, dryRun } = caller.policy
  if (objection !== undefined) return `${dryRun ? 'would refuse' : 'refuse'}: ${objection}`
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
    case 'look-up':
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

function withoutUser({ attempts, ownUser, userSource, source }: RequestRecord): string {
  if (attempts > 0 || source !== 'dynamics') return `the ${ownUser ?? 'application user'}: the request names no user`
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

function timesOf({ timings, gatewayMs }: Exchange, ms: number): [string, number][] {
  const { token, user, wait, dynamics } = timings
  const rest = Math.max(0, ms - token - user - wait - dynamics)
  const gateway = Math.min(rest, gatewayMs ?? rest)
  return [
    ['token', rounded(token)],
    ['user', rounded(user)],
    ['wait', rounded(wait)],
    ['dynamics', rounded(dynamics)],
    ['gateway', rounded(gateway)],
    ['body', rounded(rest - gateway)],
  ]
}

/** Rounded to hundredths of a millisecond. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}

const WAITED: Readonly<Record<WaitReason, string>> = {
  token: 'waited for an access token',
  user: 'waited for the lookup of the user',
  queue: 'waited in the queue: the concurrency limit was reached',
  pause: "waited for Dynamics' service protection limits",
  retry: 'waited before the next attempt',
}

/** Attempts and waits, in order, with those of its lookups. */
function attemptsOf(record: RequestRecord): Attempt[] {
  const { started, waits = [], lookups = [] } = record
  const attempts = record.attemptList()
  // A request that was sent once without a wait needs no list.
  if (waits.length === 0 && lookups.length === 0 && attempts.length < 2 && attempts[0]?.failure === undefined) return []
  return [
    ...stepsOf(record, started, ''),
    ...lookups.flatMap((lookup) => stepsOf(lookup, started, `lookup in ${lookup.entitySet!}, `)),
  ].sort((a, b) => a.at - b.at)
}

/** @param prefix what the steps belong to, if not to the request itself */
function stepsOf(part: RequestRecord, started: number, prefix: string): Attempt[] {
  const since = (start: number): number => rounded(start - started)
  return [
    ...(part.waits ?? []).map(({ reason, start, ms }) => ({
      at: since(start),
      what: prefix + WAITED[reason],
      ms: rounded(ms),
    })),
    ...part.attemptList().map((one, index) => ({
      at: since(one.start),
      what: `${prefix}attempt ${index + 1}: ${endOf(one)}`,
      ms: one.ms && rounded(one.ms),
    })),
  ]
}

function endOf({ status, failure, sent, resentFor }: AttemptRecord): string {
  const again = resentFor === undefined ? '' : `, sent again (${resentFor})`
  if (status !== undefined) return `Dynamics answered ${status}${again}`
  if (failure === undefined) return 'no response'
  return `failed (${errorWord(failure)})${sent ? ', after it was sent' : ', before it was sent'}${again}`
}

/** The raw names of headers. */
function namesOf(flat: readonly (string | Buffer)[]): string[] {
  const names: string[] = []
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index]!
    names.push((typeof name === 'string' ? name : name.toString('latin1')).slice(0, MAX_NAME))
  }
  return names
}

const MAX_NAME = 100
const MAX_VALUE = 1000

/** Headers with harmless values, which never contain an identity or a secret. */
const SHOWN_HEADERS =
  /^(?:accept|accept-language|content-type|prefer|odata-(?:max)?version|if-(?:none-)?match|consistency|callerobjectid|mscrmcaller(?:object)?id|mscrm\.[\w.-]+)$/i

function shownHeaders(rawHeaders: readonly string[], asked: Asked | undefined): HeaderLine[] {
  const lines: HeaderLine[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!
    const { header, idHeader } = asked?.target.impersonation ?? {}
    if (SHOWN_HEADERS.test(name) || [header, idHeader].includes(name.toLowerCase())) {
      lines.push([name, rawHeaders[index + 1]!.slice(0, MAX_VALUE)])
    }
  }
  return lines
}
