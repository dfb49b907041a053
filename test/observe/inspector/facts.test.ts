import t from 'tap'

import { RequestRecord } from '../../../src/dynamics/request-record.ts'
import { explanationOf } from '../../../src/observe/explain-request.ts'
import { factsOf } from '../../../src/observe/inspector/facts.ts'
import type { FinishedRequest } from '../../../src/observe/inspector/finished-request.ts'
import { createKeys } from '../../../src/observe/inspector/keys.ts'
import { attemptsOf } from '../../../src/observe/inspector/timeline.ts'
import { unreadableRecord } from '../../../src/observe/inspector/unreadable-record.ts'

const ADELE = { objectId: 'aaaaaaaa-0000-4000-8000-000000000001' }
const POLICY = { rules: ['read-only'], dryRun: false }

/** The facts about a request with this record, by their names. */
function facts(record: object, more: object = {}): Record<string, unknown> {
  const all = Object.assign(new RequestRecord('id', 0), record)
  const finished = { exchange: { record: all }, facts: { caller: 'app' }, caller: { policy: POLICY }, ...more }
  return Object.fromEntries(factsOf(finished as never as FinishedRequest))
}

t.test('the facts show how the user was named and where the response came from', async (t) => {
  for (const [source, description] of [
    ['memory', 'found in memory'],
    ['lookup', 'looked up in Dynamics'],
    ['token', "named by the caller's token"],
    ['on-behalf-of', "the caller's own token, exchanged by Entra"],
    ['caller-id', 'named by the caller, by id'],
    [undefined, 'found'],
  ] as const) {
    t.match(facts({ userSource: source }, { user: ADELE }), {
      'Ran as': `Entra object id ${ADELE.objectId}, ${description}`,
    })
  }
  t.match(facts({ attempts: 1 }), { 'Ran as': 'the application user: the request names no user' })
  t.match(facts({ source: 'memory', attempts: 1 }), { 'Sent to Dynamics': /confirmed the row/ })
  t.match(facts({ source: 'memory' }), { 'Sent to Dynamics': /^no: answered from the gateway's memory/ })
  t.match(facts({ source: 'shared' }), { 'Sent to Dynamics': /^no: shares/ })
  t.match(facts({ attempts: 1, sent: false }), { 'Sent to Dynamics': 'no: the connection failed before' })
})

t.test('the facts include rules, priority, parts and trace', async (t) => {
  t.match(facts({}), { Rules: 'allow it: none of them refuses it' })
  t.match(facts({ denialReason: 'x' }), { Rules: 'refuse: x' })
  t.match(facts({ denialReason: 'x' }, { caller: { policy: { ...POLICY, dryRun: true } } }), {
    Rules: 'would refuse: x',
  })
  const record = {
    priority: 'background',
    parts: new Map([[200, 2]]),
    trace: { traceId: 'a'.repeat(32) },
  }
  t.match(facts(record), { Priority: 'background', 'Parts of the batch': /2/, 'Trace id': 'a'.repeat(32) })
})

t.test('a failed attempt shows whether it was sent', async (t) => {
  const failed = (attempts: object[]): string[] =>
    attemptsOf({ started: 0, allAttempts: () => attempts } as never).map(({ what }) => what)
  const failure = Object.assign(new Error('x'), { code: 'ECONNREFUSED' })
  t.match(failed([{ start: 0, failure, sent: false }]), [/failed \(ECONNREFUSED\), before it was sent/])
  t.match(failed([{ start: 0, failure, sent: true }, { start: 1 }]), [/, after it was sent/, /attempt 2: no response/])
})

t.test('an error without a body is explained by its status', async (t) => {
  t.type(explanationOf({ record: {} } as never, undefined, 503)?.what, 'string')
  t.equal(explanationOf({ record: {} } as never, undefined, 200), undefined)
})

t.test('an unreadable request also has a record', async (t) => {
  const request = { id: '1', method: 'GET', entitySet: 'other', status: 400, code: 'GATEWAY_BAD_REQUEST', message: 'x' }
  t.match(unreadableRecord(request), { path: '(unreadable)', code: 'GATEWAY_BAD_REQUEST' })
})

t.test('the cookie of the inspector is Secure over TLS only', async (t) => {
  const { setCookie } = createKeys()
  t.match(setCookie(true), /; Secure$/)
  t.notMatch(setCookie(false), /Secure/)
})
