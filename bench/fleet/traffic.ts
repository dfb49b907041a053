import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

import { Agent } from 'undici'

import type { Emulator } from '../../emulator/emulator.ts'
import type { GatewayProcess } from './gateways.ts'

/** Callers that act as many users through any ready replica, and retry refused operations. */
export interface FleetTraffic {
  /** `perSecond` operations a second for `milliseconds`; ends when each has ended. */
  readonly run: (perSecond: number, milliseconds: number) => Promise<void>
  /** Refusals and broken connections so far, by status or code. Each was repeated. */
  readonly repeats: ReadonlyMap<string, number>
  readonly verdict: () => FleetVerdict
  readonly close: () => Promise<void>
}

export interface FleetVerdict {
  readonly operations: number
  /** Operations that never succeeded, or that were reported as successful and not executed. */
  readonly lost: readonly string[]
  /** Operations that were executed more than once. */
  readonly executedTwice: readonly string[]
  /** Operations that ran as the wrong user. */
  readonly asWrongUser: readonly string[]
  /** Milliseconds from the first attempt until success: the median, and the longest. */
  readonly median: number
  readonly longest: number
}

export const USERS = 1000
/** An operation that is refused for longer counts as lost. */
const PATIENCE_MS = 60_000
const RETRY_MS = 200

/** An operation of a caller. */
interface Operation {
  readonly user: number
  readonly id: string
  readonly creates: boolean
}

/** Adds the users to the emulated environment, and makes the callers. */
export function fleetTraffic(gateways: readonly GatewayProcess[], emulator: Emulator): FleetTraffic {
  const users = addUsers(emulator)
  const agent = new Agent({ connections: 128, keepAliveTimeout: 4000 })
  const repeats = new Map<string, number>()
  const created: Operation[] = []
  const [lost, asSomebodyElse]: [string[], string[]] = [[], []]
  const durations: number[] = []
  let count = 0

  async function operate(): Promise<void> {
    const number = count++
    // Every sixth user is a new one, until all are known: lookups cost the emulator more than anything else.
    const met = Math.min(Math.floor(number / 6) + 1, USERS)
    const user = number % 6 === 0 ? met - 1 : (number * 7) % met
    const operation = { user, id: randomUUID(), creates: number % 3 === 0 }
    const began = performance.now()
    while (performance.now() - began < PATIENCE_MS) {
      const outcome = await attempt(operation)
      if (outcome === undefined) {
        durations.push(performance.now() - began)
        if (operation.creates) created.push(operation)
        return
      }
      repeats.set(outcome, (repeats.get(outcome) ?? 0) + 1)
      await sleep(RETRY_MS)
    }
    lost.push(`operation ${number} was refused for ${PATIENCE_MS / 1000} s`)
  }

  /** Why the operation failed; `undefined` if it succeeded. */
  async function attempt({ user, id, creates }: Operation): Promise<string | undefined> {
    const ready = gateways.filter((gateway) => gateway.ready())
    const gateway = ready[Math.floor(Math.random() * ready.length)]
    if (gateway === undefined) return 'no replica is ready'
    const as = { 'x-user-email': emailOf(user) }
    try {
      const { statusCode, body } = await agent.request({
        origin: `http://127.0.0.1:${gateway.port}`,
        ...(creates
          ? {
              method: 'POST',
              path: '/contacts',
              headers: { ...as, 'content-type': 'application/json', 'idempotency-key': `"${id}"` },
              body: JSON.stringify({ lastname: id }),
            }
          : { method: 'GET', path: '/WhoAmI', headers: as }),
      })
      const text = await body.text()
      if (statusCode >= 300) return /"code":"(\w+)"/.exec(text)?.[1] ?? String(statusCode)
      if (!creates && (JSON.parse(text) as { UserId: unknown }).UserId !== users[user]) {
        asSomebodyElse.push(`user ${user} was answered as another`)
      }
      return undefined
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code)
    }
  }

  return {
    async run(perSecond, milliseconds) {
      const running: Promise<void>[] = []
      const began = performance.now()
      for (let sent = 0; performance.now() - began < milliseconds; await sleep(5)) {
        const due = ((performance.now() - began) / 1000) * perSecond
        for (; sent < due; sent++) running.push(operate())
      }
      await Promise.all(running)
    },
    repeats,
    verdict() {
      const rows = new Map<unknown, { creator: unknown; times: number }>()
      for (const { lastname, _createdby_value: creator } of emulator.rows('contacts')) {
        rows.set(lastname, { creator, times: (rows.get(lastname)?.times ?? 0) + 1 })
      }
      const doubled: string[] = []
      for (const { id, user } of created) {
        const row = rows.get(id)
        if (row === undefined) lost.push(`${id} was answered with success and is not there`)
        else if (row.times > 1) doubled.push(`${id} is there ${row.times} times`)
        else if (row.creator !== users[user]) asSomebodyElse.push(`${id} was created by another than user ${user}`)
      }
      durations.sort((one, other) => one - other)
      const [median = 0, longest = 0] = [durations[Math.floor(durations.length / 2)], durations.at(-1)]
      return { operations: count, lost, executedTwice: doubled, asWrongUser: asSomebodyElse, median, longest }
    },
    close: () => agent.destroy(),
  }
}

/** @returns the ids of the users in Dynamics */
function addUsers(emulator: Emulator): string[] {
  const sample = emulator
    .rows('systemusers')
    .find(({ internalemailaddress: email }) => email === 'adele.vance@contoso.com')!
  return Array.from({ length: USERS }, (_, number) => {
    const systemuserid = randomUUID()
    const internalemailaddress = emailOf(number)
    emulator.put('systemusers', {
      ...sample,
      systemuserid,
      internalemailaddress,
      domainname: internalemailaddress,
      azureactivedirectoryobjectid: randomUUID(),
    })
    return systemuserid
  })
}

function emailOf(user: number): string {
  return `user${user}@contoso.com`
}
