import type { AttemptRecord, RequestRecord, WaitReason } from '../../dynamics/request-record.ts'
import { errorWord } from '../../logging/logged-error.ts'
import type { Exchange } from '../../server/exchange.ts'
import type { Attempt } from './record.ts'

/** Where the time of a request went, in milliseconds. */
export function timesOf({ timings, gatewayMs }: Exchange, ms: number): [string, number][] {
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
export function rounded(ms: number): number {
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
export function attemptsOf(record: RequestRecord): Attempt[] {
  const { started, waits = [], lookups = [] } = record
  const attempts = record.allAttempts()
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
    ...part.allAttempts().map((one, index) => ({
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
