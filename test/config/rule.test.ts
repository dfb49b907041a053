import t from 'tap'

import { parseRule } from '../../src/config/rule.ts'

t.test('a rule is a preset, or an effect with methods and names', (t) => {
  t.same(parseRule(' read-only '), { text: 'read-only', effect: 'read-only' })
  t.same(parseRule('deny  *  annotations'), {
    text: 'deny * annotations',
    effect: 'deny',
    methods: undefined,
    names: [{ first: 'annotations', below: undefined, operation: false }],
  })
  t.same(
    parseRule(
      'allow HEAD,POST Accounts/PrimaryContactId,accounts/*,WhoAmI(),Microsoft.Dynamics.CRM.WinOpportunity,$metadata,*',
    ),
    {
      text: 'allow HEAD,POST Accounts/PrimaryContactId,accounts/*,WhoAmI(),Microsoft.Dynamics.CRM.WinOpportunity,$metadata,*',
      effect: 'allow',
      methods: new Set(['GET', 'POST']),
      names: [
        { first: 'accounts', below: 'primarycontactid', operation: false },
        { first: 'accounts', below: '*', operation: false },
        { first: 'whoami', below: undefined, operation: true },
        { first: 'winopportunity', below: undefined, operation: true },
        { first: '$metadata', below: undefined, operation: false },
        { first: '*', below: undefined, operation: false },
      ],
    },
  )
  t.end()
})

t.test('a rule that is not understood is an error with a fix', (t) => {
  for (const [rule, sentence] of Object.entries({
    readonly: /did you mean read-only/,
    'permit GET accounts': /write read-only/,
    'allow GET': /not complete/,
    allow: /not complete/,
    '': /not known/,
    'allow GET accounts contacts': /not complete/,
    'allow get accounts': /whose method "get" is not known/,
    'allow get,GET,LIST accounts': /whose methods "get" and "LIST" are not known/,
    'allow MERGE accounts': /"MERGE"/,
    'deny * accounts(1)': /name "accounts\(1\)"/,
    'deny * /accounts': /no known form/,
    'deny * */x': /no known form/,
    'deny * a,,b': /name ""/,
  }))
    t.throws(() => parseRule(rule), { message: sentence }, rule)
  t.end()
})
