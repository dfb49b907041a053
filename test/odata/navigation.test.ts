import t from 'tap'

import { navigationOf } from '../../src/odata/navigation.ts'

t.test('every name is found that a query may navigate by', (t) => {
  for (const [query, names] of Object.entries({
    '': [], '?': [], '$select=name&$top=3': [], '?$expand=a': ['a'],
    '$expand=a,b($select=c;$expand=d($expand=e)),f/g/$ref': ['a', 'b', 'd', 'e', 'f', 'g'],
    '%24expand=%61': ['a'], 'EXPAND=a': ['a'], '$expand=a&$expand=b': ['a', 'b'],
    '$expand=a($filter=b/c eq 1)': ['a', 'b'], '$expand=a($select=x': ['a'],
    '$expand=a($filter=x eq \'),b(\'),c': ['a', 'c'], '$expand=*': ['*'], '$expand=a($levels)': ['a'],
    '$expand=a(b/c)': ['a', 'b'], '$expand=': [],
    '$filter=a/b eq 1 and c/any(o:o/d eq 2)': ['a', 'c', 'o'], '$filter=x eq \'a/b\'': [],
    '$filter=x eq \'it\'\'s/b\'': [], '$filter=x eq \'a/b': ['a'],
    '$orderby=a/b desc': ['a'], '$filter=a+/b+eq+1': ['a'], '$filter=a%2Fb': ['a'], '@p1=a/b': ['a'],
    '$apply=filter(x eq 1)/groupby((y))': [],
    '$apply=expand(a,filter(b))': ['expand'], '$skiptoken=a/b': [], 'anything=a/b': ['a'],
  })) t.same(navigationOf(query)?.names, names, query)
  t.end()
})

t.test('long queries are read in no time', (t) => {
  // Each took seconds when names were looked for from every letter, or every level was read anew.
  t.same(navigationOf(`$filter=${'a'.repeat(60_000)}`)?.names, [])
  t.equal(navigationOf(`$expand=${'a($expand='.repeat(6000)}`)?.names.includes('$expand'), true)
  t.same(navigationOf(`$filter=${'\''.repeat(60_001)}`)?.names, [])
  t.end()
})

t.test('queries within the query are named', (t) => {
  t.equal(navigationOf('fetchXml=%3Cfetch%3E')?.query, 'fetchxml')
  t.same(navigationOf('fetchXml=%3Centity+name="account"/%3E'), { names: ['account'], query: undefined })
  t.equal(navigationOf('$top=1&%73avedQuery=1')?.query, 'savedquery')
  t.equal(navigationOf('userQuery=1')?.query, 'userquery')
  t.equal(navigationOf('tag=fetchXml')?.query, undefined)
  t.end()
})

t.test('a query that cannot be decoded is none', (t) => {
  for (const query of ['$filter=%zz', '%=1', 'a=%c0%ae']) t.equal(navigationOf(query), undefined, query)
  t.end()
})
