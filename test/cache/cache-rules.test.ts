import t from 'tap'

import { cacheRules } from '../../src/cache/cache-rules.ts'
import { targetAddress } from '../../src/odata/target-address.ts'

const ROOT = '/api/data/v9.2'
const kept = cacheRules(
  { schemaCache: 0, reads: { revalidate: false, keep: [{ entitySets: ['accounts'], for: 1000, shared: true }] } },
  targetAddress(`https://contoso.crm4.dynamics.com${ROOT}`),
)!

t.test('a response is shared between users only if it is the same for all of them', async (t) => {
  const fn = 'Microsoft.Dynamics.CRM.EqualUserId'
  for (const [query, shared] of [
    ['', true],
    ["?$filter=contains(name,'x')%20and%20startswith(name,'y')", true],
    ['?$filter=statecode%20eq%200&$top=5', true],
    [`?$filter=${fn}(PropertyName='ownerid')`, false],
    [`?$filter=Microsoft%2eDynamics%2ECRM.%45qualUserId%28PropertyName=@p)&@p='ownerid'`, false],
    [`?$filter=${fn}%20(PropertyName='ownerid')`, false],
    [`?$filter=${fn}+(PropertyName='ownerid')`, false],
    [`?$filter=@f&@f=mscrm.Today(PropertyName='createdon')`, false],
  ] as const) {
    t.match(
      kept({ path: `${ROOT}/accounts${query}`, headers: [] }),
      { kind: 'rows', entitySet: 'accounts', shared },
      query,
    )
  }
})

t.test('annotations add other entity sets to a cached read, and make it specific to one user', async (t) => {
  for (const prefer of ['odata.include-annotations="*"', 'Odata.Include-Annotations=OData.Community.Display.V1.*']) {
    t.same(kept({ path: `${ROOT}/accounts`, headers: ['Prefer', prefer] }), {
      kind: 'rows',
      entitySet: undefined,
      maxAge: 1000,
      shared: false,
    })
  }
})
