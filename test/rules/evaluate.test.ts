import t from 'tap'
import type { Test } from 'tap'

import { parseRule, PRESETS } from '../../src/config/rule.ts'
import { denialReason } from '../../src/rules/evaluate.ts'

/** The decision of `rules` about requests such as `GET /accounts?$top=1`. */
function ask(rules: readonly string[], request: string): string | undefined {
  const [method, address] = request.split(' ') as [string, string]
  const [resourcePath, query] = address.split(/\?(.*)/s) as [string, string | undefined]
  return denialReason({ method, resourcePath, query: query ?? '' }, rules.map(parseRule))
}

function table(
  t: Test,
  rules: readonly string[],
  { passes, refused }: { passes: readonly string[]; refused: readonly string[] },
): void {
  for (const request of passes) t.equal(ask(rules, request), undefined, `${request} passes`)
  for (const request of refused) t.match(ask(rules, request), /^This caller may not .+: .+\.$/, `${request} is refused`)
}

t.test('without rules everything is allowed', (t) => {
  table(t, [], { passes: ['DELETE /accounts(1)', 'GET /accounts?fetchXml=x', 'POST /$batch'], refused: [] })
  t.end()
})

t.test('read-only allows only reads', (t) => {
  table(t, ['read-only'], {
    passes: [
      'GET /accounts',
      'HEAD /accounts',
      'OPTIONS /accounts',
      'POST /$batch',
      'POST /%24batch',
      'GET /accounts?fetchXml=x&$expand=primarycontactid',
      'GET /WhoAmI()',
    ],
    refused: [
      'POST /accounts',
      'PATCH /accounts(1)',
      'PUT /accounts(1)/name',
      'DELETE /accounts(1)',
      'POST /WinOpportunity',
      'PATCH /$batch',
      'POST /$batch/x',
    ],
  })
  t.equal(
    ask(['read-only'], 'PATCH /accounts(1)'),
    'This caller may not PATCH accounts: the rule "read-only" refuses it.',
  )
  t.end()
})

t.test('no-delete refuses DELETE, and actions that delete', (t) => {
  table(t, ['no-delete'], {
    passes: ['GET /accounts', 'POST /accounts', 'PATCH /accounts(1)', 'POST /contoso_deletereasons'],
    refused: [
      'DELETE /accounts(1)',
      'DELETE /accounts(1)/name',
      'DELETE /accounts(1)/primarycontactid/$ref',
      'POST /BulkDelete',
      'POST /contoso_sensordatas/Microsoft.Dynamics.CRM.DeleteMultiple',
      'POST /%44eleteMultiple',
    ],
  })
  t.end()
})

t.test('no-metadata-writes refuses changes of definitions', (t) => {
  table(t, ['no-metadata-writes'], {
    passes: [
      'GET /EntityDefinitions',
      'POST /accounts',
      'GET /$metadata',
      'POST /CreateMultiple',
      'POST /WinOpportunity',
    ],
    refused: [
      'POST /EntityDefinitions',
      "PUT /EntityDefinitions(LogicalName='account')",
      'POST /entitydefinitions(1)/Attributes',
      'DELETE /RelationshipDefinitions(1)',
      'POST /GlobalOptionSetDefinitions',
      'POST /PublishXml',
      'POST /PublishAllXml',
      'POST /InsertOptionValue',
      'POST /DeleteOptionValue',
      'POST /ImportSolution',
      'POST /ImportSolutionAsync',
      'POST /StageAndUpgradeAsync'.replace('Async', 'SolutionAsync'),
      'POST /AddSolutionComponent',
      'POST /CreateCustomerRelationships',
    ],
  })
  t.end()
})

t.test('a deny names methods and entity sets', (t) => {
  table(t, ['deny DELETE,PATCH accounts,contacts'], {
    passes: [
      'GET /accounts',
      'POST /accounts',
      'DELETE /leads(1)',
      'GET /accounts(1)/primarycontactid',
      'GET /accounts?$expand=primarycontactid',
    ],
    refused: [
      'DELETE /accounts(1)',
      'PATCH /contacts(1)',
      'DELETE /%61ccounts(1)',
      'DELETE /ACCOUNTS(1)',
      'DELETE /accounts%281%29',
      'PATCH /leads(1)/parentcontactid',
      'DELETE /accounts(1)/primarycontactid/$ref',
    ],
  })
  t.match(ask(['deny DELETE accounts'], 'DELETE /accounts(1)'), /"deny DELETE accounts"/, 'the rule is named')
  t.end()
})

t.test('a deny on reading cannot be bypassed by navigation, stored queries or encoded letters', (t) => {
  // Without metadata it is unknown that Account_Annotation contains annotations.
  table(t, ['deny * annotations'], {
    passes: [
      'GET /accounts',
      'GET /accounts(1)?$select=name',
      "GET /accounts?$filter=contains(name,'a/b')",
      'PATCH /accounts(1)',
      'GET /accounts/$count',
      'GET /accounts(1)/entityimage/$value',
      'GET /$metadata',
      'POST /accounts(1)/Microsoft.Dynamics.CRM.AddToQueue',
      'GET /WhoAmI()',
      'GET /accounts?$skiptoken=a%2Fb',
      'GET /accounts?$apply=groupby((statecode))',
    ],
    refused: [
      'GET /annotations',
      'HEAD /annotations',
      'POST /annotations',
      'GET /annotations(1)/$value',
      'GET /%61nnotations',
      'GET /annotations/$count',
      'GET /accounts(1)/Account_Annotation',
      'POST /accounts(1)/Account_Annotation',
      'GET /accounts(1)/Account_Annotation/$ref',
      'GET /accounts(1)/name',
      'GET /accounts?$expand=Account_Annotation',
      'GET /accounts?%24expand=Account_Annotation',
      'GET /accounts?expand=Account_Annotation',
      'GET /accounts?$EXPAND=Account_Annotation',
      'GET /accounts?$expand=*',
      'GET /accounts?$top=1&$expand=Account_Annotation($select=notetext)',
      'GET /accounts?fetchXml=%3Cfetch/%3E',
      'GET /accounts?fetchxml=x',
      'GET /accounts?savedQuery=1',
      'GET /accounts?userQuery=1',
      'GET /accounts?$filter=Account_Annotation/any(n:n/notetext%20eq%20%27x%27)',
      'GET /accounts?$orderby=x/y',
      'GET /accounts?$filter=@p&@p=x/y%20eq%201',
      'GET /accounts?$apply=groupby((x/y))',
      'GET /accounts?$apply=join(Account_Annotation%20as%20a)',
      'GET /accounts?$filter=%zz',
      'GET /$entity?$id=annotations(1)',
      'GET /$crossjoin(accounts,annotations)',
      'GET /$image',
      'GET /accounts(1)/x/y/$value',
    ],
  })
  t.match(
    ask(['deny * annotations'], 'GET /accounts?$expand=Account_Annotation'),
    /Account_Annotation: it may lead to what the rule "deny \* annotations" refuses/,
  )
  t.end()
})

t.test('a deny on an action or a navigation property affects nothing else', (t) => {
  table(t, ['deny POST WinOpportunity(),Microsoft.Dynamics.CRM.Assign', 'deny GET accounts/primarycontactid'], {
    passes: ['POST /LoseOpportunity', 'GET /accounts(1)/name', 'GET /accounts?$expand=owninguser'],
    refused: [
      'POST /WinOpportunity',
      'POST /opportunities(1)/Microsoft.Dynamics.CRM.WinOpportunity',
      'POST /accounts(1)/Microsoft.Dynamics.CRM.Assign',
      'GET /accounts(1)/primarycontactid',
      'GET /accounts?$expand=primarycontactid',
      'GET /accounts?$filter=primarycontactid/fullname%20eq%20%27x%27',
      `GET /accounts?$expand=${'a($expand='.repeat(16)}primarycontactid${')'.repeat(16)}`,
      // A stored query, and one that links entities, may follow the same relationship.
      'GET /accounts?savedQuery=00000000-0000-0000-0000-000000000001',
      'GET /accounts?fetchXml=x',
      'GET /accounts?fetchXml=%3Centity%20name=%22account%22%3E%3Clink-entity%20name=%22contact%22/%3E%3C/entity%3E',
    ],
  })
  t.end()
})

t.test('with an allow rule, everything that no allow rule names is refused', (t) => {
  table(t, ['allow GET accounts', 'allow POST contacts'], {
    passes: [
      'GET /accounts',
      'HEAD /accounts',
      'GET /accounts(1)',
      'GET /accounts/$count',
      'POST /contacts',
      'POST /$batch',
      'GET /accounts(1)/entityimage/$value',
      'GET /accounts?$select=name&$filter=name%20eq%20%27a/b%27',
    ],
    refused: [
      'POST /accounts',
      'GET /contacts',
      'GET /',
      'GET /$metadata',
      'GET /WhoAmI()',
      'POST /WinOpportunity',
      'GET /accounts(1)/primarycontactid',
      'GET /accounts(1)/name',
      'GET /accounts?$expand=primarycontactid',
      'GET /accounts?fetchXml=x',
      'GET /accounts?$filter=primarycontactid/fullname%20eq%20%27x%27',
      'POST /accounts(1)/Microsoft.Dynamics.CRM.AddToQueue',
      'POST /contacts?$expand=parentcustomerid_account',
      'GET /accounts(1',
      'GET /accounts%',
      'GET /$image',
      'GET /api/data/v9.2/contacts',
      "GET /accounts(x='y')/contacts(z='')",
      'GET /accounts?$filter=%zz',
    ],
  })
  t.match(
    ask(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((set) => `allow GET ${set}`),
      'GET /leads',
    ),
    /allow GET e; …\)/,
    'not all of many rules',
  )
  t.match(
    ask(['allow GET accounts', 'allow POST contacts'], 'GET /leads'),
    /none of its rules allows it \(allow GET accounts; allow POST contacts\)/,
  )
  t.end()
})

t.test('an allow can name nested resources, functions and actions, the service document, or everything', (t) => {
  table(
    t,
    [
      'allow GET accounts,accounts/primarycontactid,WhoAmI(),$metadata',
      'allow POST WinOpportunity',
      'allow GET opportunities',
      'allow GET leads/*',
    ],
    {
      passes: [
        'GET /accounts(1)/primarycontactid',
        'GET /accounts?$expand=primarycontactid($select=fullname)',
        'GET /WhoAmI()',
        'GET /',
        'GET /$metadata',
        'POST /opportunities(1)/Microsoft.Dynamics.CRM.WinOpportunity',
        'POST /WinOpportunity',
        'GET /leads',
        'GET /leads(1)/x/y',
        'GET /leads?$expand=a($expand=b),c',
        'GET /accounts?$filter=primarycontactid/fullname%20eq%20%27x%27',
        'GET /leads(1)/Microsoft.Dynamics.CRM.X()',
      ],
      refused: [
        'GET /contacts',
        'GET /accounts?$expand=primarycontactid($expand=owninguser)',
        'GET /accounts(1)/primarycontactid/owninguser',
        'POST /leads',
        'POST /accounts(1)/Microsoft.Dynamics.CRM.WinOpportunity2',
        'POST /contacts(1)/Microsoft.Dynamics.CRM.WinOpportunity',
        'GET /opportunities?$expand=primarycontactid',
        'GET /accounts?$expand=primarycontactid,owninguser',
        'GET /accounts?$expand=primarycontactid/owninguser',
      ],
    },
  )
  table(t, ['allow * *'], {
    passes: ['DELETE /accounts(1)', 'GET /accounts?fetchXml=x&$expand=y', 'GET /accounts(1)/x/y'],
    refused: [],
  })
  t.end()
})

t.test('an unparsed query in a body is refused if rules restrict reading', (t) => {
  const refused = ['POST /accounts/$query', 'POST /accounts/%24query', 'POST /accounts/$QUERY/', 'GET /accounts/$query']
  table(t, ['allow GET accounts', 'allow POST accounts'], { passes: ['POST /accounts'], refused })
  table(t, ['allow POST accounts', 'allow POST accounts/*'], { passes: ['POST /accounts'], refused })
  table(t, ['deny * annotations'], { passes: ['POST /accounts'], refused })
  table(t, ['read-only'], { passes: [], refused: refused.slice(0, 3) })
  table(t, ['deny GET accounts/primarycontactid'], { passes: ['POST /accounts'], refused })
  table(t, ['deny GET accounts'], { passes: ['POST /accounts'], refused })
  table(t, ['allow POST *'], { passes: ['POST /accounts'], refused })
  table(t, ['allow GET *'], { passes: refused, refused: ['POST /accounts'] })
  table(t, ['allow * *'], { passes: refused, refused: [] })
  table(t, ['no-delete'], { passes: refused, refused: [] })
  table(t, ['deny POST WinOpportunity()'], { passes: refused, refused: [] })
  t.match(ask(['allow GET accounts'], 'POST /accounts/$query'), /its query is in the body; send it as a GET/)
  t.end()
})

t.test('a nested row is reachable only by paths that an allow names', (t) => {
  table(t, ['allow GET accounts'], {
    passes: ['GET /accounts(1)/entityimage/$value', 'GET /accounts(1)/$ref', 'GET /accounts/$count/'],
    refused: [
      'GET /accounts(1)/contact_customer_accounts(2)/$value',
      'GET /accounts(1)/contact_customer_accounts(2)/$ref',
      'GET /accounts(1)/contact_customer_accounts%282%29/%24value',
      'GET /accounts(1)/contact_customer_accounts()/$value',
      'GET /accounts(1)/contact_customer_accounts/$count',
      'GET /accounts(1)/$links/contact_customer_accounts',
      'GET /accounts(1)/contact_customer_accounts(2)/notetext/$value',
      'GET /accounts(1)/primarycontactid/fullname/$value',
      'GET /accounts(1)/Microsoft.Dynamics.CRM.account/primarycontactid',
      'GET /accounts/$entity',
      'GET /accounts/Microsoft.Dynamics.CRM.account',
      'GET /accounts/$all',
      'GET /accounts/$filter(@f)/$each?@f=a',
      'GET /accounts/$crossjoin(contacts)',
      'GET /$all',
      'GET /$all/Microsoft.Dynamics.CRM.contact',
      'GET /$root/contacts',
      'GET /$entity/Microsoft.Dynamics.CRM.account?$id=accounts(1)',
      'GET /accounts/1/primarycontactid',
      'GET /accounts?$orderby=contact_customer_accounts(2)/fullname',
      'GET /accounts?$filter=contact_customer_accounts(00000000-0000-0000-0000-000000000001)/fullname%20eq%20%27a%27',
      'GET /accounts?$filter=(primarycontactid)/fullname%20eq%20%27a%27',
      'GET /accounts?$filter=$it/primarycontactid/fullname%20eq%20%27a%27',
      'GET /accounts?$filter=$root/contacts(1)/fullname%20eq%20%27a%27',
      'GET /accounts?$compute=primarycontactid/fullname%20as%20x',
      'GET /accounts?$select=primarycontactid($expand=owninguser)',
      'GET /accounts?$select=primarycontactid/fullname',
      'GET /accounts?$filter=@a/fullname%20eq%20%27x%27&@a=primarycontactid',
      'GET /accounts?$filter=@a&@a=contacts(1)/x',
      'GET /accounts?$apply=aggregate(contact_customer_accounts(annualincome%20with%20sum%20as%20x))',
      'GET /accounts?$expand=primarycontactid/$ref',
      'GET /accounts?$expand=contact_customer_accounts/$count',
      'GET /accounts?$expand=Microsoft.Dynamics.CRM.account/primarycontactid',
      'GET /accounts?$expand=*/$ref',
      'GET /accounts?$filter=name%20eq%20%22%27%22%20or%20primarycontactid/x%20eq%20%22%27%22',
      'GET /accounts?%24%65xpand=primarycontactid',
      'GET /accounts?+$expand+=primarycontactid',
    ],
  })
  table(t, ['deny GET contacts'], {
    passes: ['GET /accounts?$filter=(name%20eq%20%27a%27)%20and%20(revenue%20gt%201)'],
    refused: [
      'GET /accounts(1)/contact_customer_accounts(2)/$value',
      'GET /accounts/$entity',
      'GET /accounts/$each/x',
      'GET /accounts?$orderby=contact_customer_accounts(2)/fullname',
    ],
  })
  table(t, ['deny DELETE,PATCH,PUT contacts'], {
    passes: ['DELETE /accounts(1)'],
    refused: ['PUT /accounts(1)/contact_customer_accounts(2)/$value', 'DELETE /$entity?$id=contacts(1)'],
  })
  t.end()
})

t.test('an action on many rows needs permission for the methods that it amounts to', (t) => {
  table(t, ['deny DELETE,PATCH accounts'], {
    passes: [
      'POST /accounts',
      'POST /accounts/Microsoft.Dynamics.CRM.CreateMultiple',
      'POST /leads/Microsoft.Dynamics.CRM.UpsertMultiple',
    ],
    refused: [
      'POST /accounts/Microsoft.Dynamics.CRM.DeleteMultiple',
      'POST /accounts/Microsoft.Dynamics.CRM.UpdateMultiple',
      'POST /accounts/microsoft.dynamics.crm.upsertmultiple',
      'POST /leads(1)/accounts/DeleteMultiple',
    ],
  })
  t.end()
})

t.test('a write that returns the row counts as a read', (t) => {
  const change = (rules: readonly string[], method: string, query = ''): string | undefined =>
    denialReason({ method, resourcePath: '/accounts(1)', query, wantsRow: true }, rules.map(parseRule))
  for (const method of ['PATCH', 'PUT']) {
    t.match(change([`allow ${method} accounts`], method), /may not GET accounts/, method)
    t.match(change(['deny GET accounts'], method), /may not GET accounts/)
    t.equal(change([`allow GET,${method} accounts`], method), undefined)
    t.equal(change([], method), undefined)
  }
  t.equal(change(['allow POST accounts'], 'POST'), undefined, 'a top-level row')
  t.end()
})

t.test('FetchXML may read only entities that an allow names', (t) => {
  const fetch = (xml: string): string => `GET /accounts?fetchXml=${encodeURIComponent(xml)}`
  const linked = '<fetch><entity name="account"><link-entity name="contact" from="a" to="b"/></entity></fetch>'
  table(t, ['allow GET accounts,account'], {
    passes: [fetch('<fetch><entity name="account"><all-attributes/></entity></fetch>')],
    refused: [fetch(linked), fetch('<fetch><!-- --></fetch>')],
  })
  table(t, ['allow GET accounts'], { passes: [], refused: [fetch('<fetch><entity name="account"/></fetch>')] })
  table(t, ['allow GET accounts,account,contact'], { passes: [fetch(linked)], refused: [] })
  table(t, ['deny GET annotations'], { passes: [], refused: [fetch('<fetch><entity name="account"/></fetch>')] })
  t.end()
})

t.test('a deny wins over every allow', (t) => {
  table(t, ['allow * *', 'deny * annotations', 'allow GET accounts/primarycontactid'], {
    passes: [
      'GET /accounts',
      'GET /accounts(1)/primarycontactid',
      'GET /accounts?$expand=primarycontactid',
      'POST /contacts',
    ],
    refused: [
      'GET /annotations',
      'GET /accounts(1)/Account_Annotation',
      'GET /accounts?$expand=Account_Annotation',
      'GET /accounts?fetchXml=x',
    ],
  })
  table(t, ['read-only', 'allow * accounts'], {
    passes: ['GET /accounts'],
    refused: ['POST /accounts', 'GET /contacts'],
  })
  t.end()
})

t.test('every preset refuses something that is allowed without rules', (t) => {
  // A new preset needs an entry here, and tests of its own above.
  const refused: Readonly<Record<(typeof PRESETS)[number], string>> = {
    'read-only': 'POST /accounts',
    'no-delete': 'DELETE /accounts(1)',
    'no-metadata-writes': 'POST /EntityDefinitions',
  }
  for (const preset of PRESETS) {
    t.type(ask([preset], refused[preset]), 'string', preset)
    t.equal(ask([], refused[preset]), undefined, preset)
  }
  t.end()
})
