import t from 'tap'

import { entitySetOf } from '../../src/odata/entity-set.ts'

t.test('the entity set is read without keys and queries', async (t) => {
  const targets: Readonly<Record<string, string>> = {
    '/accounts': 'accounts',
    '/accounts?$filter=contains(name,%27x%27)': 'accounts',
    "/accounts(name='a?b')/contacts?$top=1": 'accounts',
    '/api/data/v9.2/contacts(1)': 'contacts',
    '/api/data/v9.2/WhoAmI()?x=(': 'WhoAmI',
    '/$batch': '$batch',
    '//accounts/name': 'accounts',
    '/-/metrics?x': 'gateway',
    '/': 'other',
    '': 'other',
    '?': 'other',
    '/(1)': 'other',
    "/acc'ounts": 'other',
    '/1accounts': 'other',
    [`/${'a'.repeat(101)}`]: 'other',
  }
  for (const [target, entitySet] of Object.entries(targets)) t.equal(entitySetOf(target), entitySet, target)
})
