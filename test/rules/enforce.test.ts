import t from 'tap'

import { parseRule } from '../../src/config/rule.ts'
import type { Policy } from '../../src/config/settings/policy.ts'
import { RequestRecord } from '../../src/dynamics/request-record.ts'
import { authorizePart } from '../../src/rules/enforce.ts'

const strict: Policy = {
  users: ['*'],
  callerIds: 'refuse',
  rules: ['read-only'].map(parseRule),
  bypassHeaders: false,
  priority: 'interactive',
  callbacks: false,
  dryRun: false,
}
const read = {
  part: 2,
  method: 'GET',
  resourcePath: '/accounts',
  query: '',
  headers: [{ name: 'Accept', value: 'application/json' }],
}
const write = { ...read, method: 'POST' }
const odd = [
  ['CallerObjectId', '00000000-0000-4000-8000-000000000001', 'GATEWAY_CALLER_ID_NOT_ALLOWED'],
  ['MSCRM.BypassCustomPluginExecution', 'true', 'GATEWAY_CALLER_NOT_ALLOWED'],
  ['Prefer', 'respond-async, callback;url=x', 'GATEWAY_CALLER_NOT_ALLOWED'],
  ['X-HTTP-Method', 'DELETE', 'GATEWAY_CALLER_NOT_ALLOWED'],
] as const

t.test('a part has the same permissions as a request of its caller', (t) => {
  judge(strict, read)
  t.throws(() => judge(strict, write), { code: 'GATEWAY_CALLER_NOT_ALLOWED', message: /read-only/ })
  for (const [name, value, code] of odd) {
    t.throws(() => judge(strict, { ...read, headers: [{ name, value }] }), { code }, name)
  }
  t.end()
})

t.test('rules refuse a part whose path cannot be parsed', (t) => {
  for (const resourcePath of ['/$%62atch', '/$batch()', '/accounts/%2e%2e/x']) {
    t.throws(
      () => judge(strict, { ...read, resourcePath }),
      { code: 'GATEWAY_CALLER_NOT_ALLOWED', message: /cannot be read/ },
      resourcePath,
    )
  }
  judge(strict, { ...read, resourcePath: '/accounts($1)/primarycontactid/$ref' })
  t.end()
})

t.test('the rule that allows a part is recorded, once for all parts', (t) => {
  const rules = ['allow GET contacts', 'allow GET accounts', 'allow * accounts', 'deny DELETE accounts'].map(parseRule)
  const record = new RequestRecord('of-a-request', 0)
  const policy = { ...strict, rules }

  t.match(judge(policy, read, false, record), [{ id: 'of-a-request', caller: 'billing', rule: 'allow GET accounts' }])
  judge(policy, read, false, record)
  judge(policy, { ...read, method: 'PATCH' }, true, record)
  t.same([...record.allowedBy!], ['allow GET accounts', 'allow * accounts'])
  t.throws(() => judge(policy, { ...read, method: 'DELETE' }, false, record))
  t.equal(record.allowedBy!.size, 2)
  t.same(judge(strict, read), [], 'an allowed part without a rule is not logged')
  t.end()
})

t.test('bypass headers and callbacks can be allowed, but not a method override', (t) => {
  const lenient: Policy = { ...strict, callerIds: 'allow', bypassHeaders: true, callbacks: true }
  for (const [name, value] of odd.slice(0, 3)) judge(lenient, { ...read, headers: [{ name, value }] })
  t.throws(() => judge(lenient, { ...read, headers: [{ name: 'X-HTTP-Method', value: 'DELETE' }] }), {
    code: 'GATEWAY_CALLER_NOT_ALLOWED',
  })
  t.end()
})

t.test('a write that returns the row needs permission to read, also if the batch requests it', (t) => {
  const change = { ...read, method: 'PATCH', resourcePath: '/accounts(1)' }
  const row = [{ name: 'Prefer', value: 'odata.include-annotations="*", return = "representation"' }]
  const mayChange: Policy = { ...strict, rules: ['allow PATCH accounts'].map(parseRule) }
  const mayRead: Policy = { ...strict, rules: ['allow GET,PATCH accounts'].map(parseRule) }

  judge(mayChange, change)
  judge(mayRead, { ...change, headers: row }, true)
  t.throws(() => judge(mayChange, { ...change, headers: row }), { message: /may not GET accounts/ })
  t.throws(() => judge(mayChange, change, true), { message: /may not GET accounts/ })
  t.end()
})

t.test('a dry run allows everything, and logs what rules would have refused', (t) => {
  const logged = judge({ ...strict, dryRun: true }, write)
  t.match(logged, [{ id: 'of-a-request', caller: 'billing', objection: /read-only/ }])
  t.same(judge({ ...strict, dryRun: true }, read), [])
  t.end()
})

/** Authorizes a part, and returns what was logged. */
function judge(
  policy: Policy,
  part: Parameters<typeof authorizePart>[1],
  wantsRow = false,
  record = new RequestRecord('of-a-request', 0),
): object[] {
  const logged: object[] = []
  authorizePart(
    { caller: { name: 'billing', policy }, head: { preferences: { wantsRow } }, exchange: { record } },
    part,
    {
      warn: (facts) => logged.push(facts),
      debug: (facts) => logged.push(facts),
    },
  )
  return logged
}
