import { randomUUID } from 'node:crypto'

import { Agent } from 'undici'

import { accountId } from '../../emulator/emulator.ts'
import type { Emulator } from '../../emulator/emulator.ts'

/** The outcome of one request, as its caller saw it. */
export interface Outcome {
  /** The operation: `read`, `create`, `keyed create`, `update`, `delete`, `list`. */
  readonly kind: string
  /** `undefined`: the connection broke. */
  readonly status: number | undefined
  /** The gateway's error code, if the gateway answered itself. */
  readonly code: string | undefined
  /** What is wrong with the response, in a sentence; `undefined` if it is correct. */
  readonly wrong: string | undefined
  readonly milliseconds: number
}

/** Callers that each read and write their own row, so that mixed-up responses are detected and writes counted. */
export interface Traffic {
  /** Sends `perSecond` requests a second for `milliseconds`, and resolves when all have ended. */
  readonly run: (perSecond: number, milliseconds: number) => Promise<Outcome[]>
  /** Writes that were executed more than once, or not at all although they were reported as successful. */
  readonly faults: () => string[]
  readonly close: () => Promise<void>
}

/**
 * Traffic to the gateway at `url`, verified at `emulator`.
 *
 * @param keyed whether every second create has an `Idempotency-Key`
 */
export function mixedTraffic(url: string, emulator: Emulator, keyed = false): Traffic {
  const agent = new Agent({
    connections: 256,
    keepAliveTimeout: 4000,
    keepAliveMaxTimeout: 4000,
    maxHeaderSize: 128 * 1024,
  })
  const created = new Map<string, boolean>()
  const changed = new Map<string, boolean>()
  let turn = 0

  async function one(): Promise<Outcome> {
    const began = performance.now()
    const outcome = (kind: string, status: number | undefined, body: string, wrong?: string): Outcome => ({
      kind,
      status,
      code: /"code":"(GATEWAY_\w+)"/.exec(body)?.[1],
      wrong,
      milliseconds: performance.now() - began,
    })
    const number = turn++
    const kind =
      keyed && number % 12 === 1
        ? 'keyed create'
        : (['read', 'create', 'list', 'update', 'read', 'delete'] as const)[number % 6]!
    const id = randomUUID()
    if (kind === 'update' || kind === 'delete') emulator.put('contacts', { contactid: id, lastname: id })
    try {
      const { statusCode, headers, body } = await agent.request({ origin: url, ...requestOf(kind, number, id) })
      const text = await body.text()
      const good = statusCode >= 200 && statusCode < 300
      if (kind === 'create' || kind === 'keyed create') created.set(id, good)
      if (kind === 'update' || kind === 'delete') changed.set(`${kind === 'update' ? 'PATCH' : 'DELETE'} ${id}`, good)
      return outcome(
        kind,
        statusCode,
        text,
        good ? wrongWith(kind, number, text) : (wrongRefusal(statusCode, headers, text) ?? unsureCreate(kind, text)),
      )
    } catch (error) {
      if (kind === 'create' || kind === 'keyed create') created.set(id, false)
      if (kind === 'update' || kind === 'delete') changed.set(`${kind === 'update' ? 'PATCH' : 'DELETE'} ${id}`, false)
      return outcome(kind, undefined, '', /timeout/i.test((error as Error).message) ? 'no answer' : undefined)
    }
  }

  return {
    async run(perSecond, milliseconds) {
      const running: Promise<Outcome>[] = []
      const began = performance.now()
      for (let sent = 0; performance.now() - began < milliseconds;) {
        const due = ((performance.now() - began) / 1000) * perSecond
        for (; sent < due; sent++) running.push(one())
        await new Promise((resolve) => {
          setTimeout(resolve, 5)
        })
      }
      return Promise.all(running)
    },
    faults() {
      const rows = countBy(emulator.rows('contacts').map((row) => String(row['lastname'])))
      const executions = countBy(emulator.executed.map(({ method, id }) => `${method} ${id}`))
      const found: string[] = []
      for (const [counts, of] of [
        [rows, created],
        [executions, changed],
      ] as const) {
        for (const [key, answered] of of) {
          const times = counts.get(key) ?? 0
          if (times > 1) found.push(`${key} was carried out ${times} times`)
          if (times === 0 && answered) found.push(`${key} was answered with success and not carried out`)
        }
      }
      return found
    },
    close: () => agent.destroy(),
  }
}

function requestOf(
  kind: string,
  number: number,
  id: string,
): { method: 'GET' | 'POST' | 'PATCH' | 'DELETE'; path: string; headers?: Record<string, string>; body?: string } {
  const json = { 'content-type': 'application/json' }
  switch (kind) {
    case 'keyed create':
      return {
        method: 'POST',
        path: '/contacts',
        headers: { ...json, 'idempotency-key': `"${id}"` },
        body: JSON.stringify({ lastname: id }),
      }
    case 'create':
      return { method: 'POST', path: '/contacts', headers: json, body: JSON.stringify({ lastname: id }) }
    case 'update':
      return {
        method: 'PATCH',
        path: `/contacts(${id})`,
        headers: { ...json, 'if-match': '*' },
        body: '{"firstname":"Ada"}',
      }
    case 'delete':
      return { method: 'DELETE', path: `/contacts(${id})` }
    case 'list':
      return { method: 'GET', path: `/accounts?$select=name&$top=${20 + (number % 30)}` }
    default:
      return { method: 'GET', path: `/accounts(${accountId(number % 50)})?$select=name` }
  }
}

/** Checks that the response belongs to the request, and is complete. */
function wrongWith(kind: string, number: number, text: string): string | undefined {
  if (kind !== 'read' && kind !== 'list') return undefined
  try {
    const { accountid, value } = JSON.parse(text) as { accountid?: string; value?: unknown[] }
    if (kind === 'read' && accountid !== accountId(number % 50)) return "another request's answer"
    if (kind === 'list' && value?.length !== 20 + (number % 30)) return "another request's answer"
    return undefined
  } catch {
    return `a truncated response as if complete: ${text.slice(0, 80)}`
  }
}

/** An error of the gateway has a code and, if it is temporary, Retry-After. */
function wrongRefusal(
  status: number,
  headers: Record<string, string | string[] | undefined>,
  text: string,
): string | undefined {
  if ((status === 429 || (status === 503 && text.includes('GATEWAY_'))) && headers['retry-after'] === undefined) {
    return `${status} without Retry-After`
  }
  if (status === 401 || status < 400) return `${status}`
  return undefined
}

/** A keyed create never fails with an unknown outcome. */
function unsureCreate(kind: string, text: string): string | undefined {
  return kind === 'keyed create' && text.includes('Check before you send it again') ? 'the caller must look' : undefined
}

function countBy(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}
