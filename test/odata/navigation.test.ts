import t from 'tap'

import { navigationOf } from '../../src/odata/navigation.ts'

t.test('finds every name that a query may navigate by', (t) => {
  for (const [query, names] of Object.entries({
    '': [],
    '?': [],
    '$select=name&$top=3': [],
    '?$expand=a': ['a'],
    '$expand=a,b($select=c;$expand=d($expand=e)),f/g/$ref': ['a', 'b', 'd', 'e', 'f', 'g'],
    '%24expand=%61': ['a'],
    'EXPAND=a': ['a'],
    '$expand=a&$expand=b': ['a', 'b'],
    '$expand=a($filter=b/c eq 1)': ['a', 'b'],
    '$expand=a($select=x': ['a'],
    "$expand=a($filter=x eq '),b('),c": ['a', 'c'],
    '$expand=*': ['*'],
    '$expand=a($levels)': ['a'],
    '$expand=a(b/c)': ['a', 'b'],
    '$expand=': [],
    '$filter=a/b eq 1 and c/any(o:o/d eq 2)': ['a', 'c', 'o'],
    "$filter=x eq 'a/b'": [],
    "$filter=x eq 'it''s/b'": [],
    "$filter=x eq 'a/b": ['a'],
    '$orderby=a/b desc': ['a'],
    '$filter=a+/b+eq+1': ['a'],
    '$filter=a%2Fb': ['a'],
    '@p1=a/b': ['a'],
    '$apply=filter(x eq 1)/groupby((y))': [],
    '$filter=a/b/c eq 1': ['a', 'b'],
    '$orderby=a(1)/b': ['a'],
    '$filter=a(1) /b eq 2': ['a'],
    "$filter=a(x=1,y='(')/b eq 2": ['a'],
    '$filter=(a)/b eq 1': ['()'],
    '$filter=((a))/b eq 1': ['()'],
    '$filter=x eq a)/b': ['a'],
    '$filter=a(1)(2)/b eq 1': ['()'],
    '$filter=cast(a,b.c)/d eq 1': ['cast'],
    '$filter=(a/b eq 1) and (c/d eq 2)': ['a', 'c'],
    '$filter=filter(1)/x eq 1': ['filter'],
    '$orderby=x/y,z(1)/u': ['x', 'z'],
    '$select=a,b': [],
    '$select=a/b': ['a'],
    '$select=a($expand=b;$select=c),d': ['a', 'b'],
    '$expand=a($select=b($expand=c))': ['a', 'b', 'c'],
    '$expand=a($apply=join(b as c))': ['a', 'join'],
    '$expand=a($search="\'";$expand=b;$search="\'")': ['a', 'b'],
    '$filter=a eq "\'" or b/c eq "\'"': ['b'],
    '$filter=a eq "\\"\'" or b/c eq "\'"': ['b'],
    "$filter=a eq '\"' and b eq 'x/y\"'": [],
    '$filter=In(a=\'b\',c=["d","e"])': [],
    '@p={"a":"it\'s"}&@q=["\'"]': [],
    '$apply=filter(a(1)/b eq 1)/aggregate(c(d with sum as e))': ['a', 'c'],
    '$apply=filter(filter(1)/x eq 1)': ['filter'],
    '$apply=groupby((a),aggregate($count as b,c with sum as d))': [],
    "$apply=filter(contains(a,'x') and (b eq 1 or not (c eq 2)))/groupby((a))": [],
    '$apply=expand(a,filter(b))': ['expand'],
    '$skiptoken=a/b': [],
    '$ $expand=a': ['a'],
    '$$expand=a': ['a'],
    'anything=a/b': ['a'],
  }))
    t.same(navigationOf(query)?.names, names, query)
  t.end()
})

t.test('long queries are read in linear time', (t) => {
  // Each took seconds when names were searched from every letter, or every level was read again.
  t.same(navigationOf(`$filter=${'a'.repeat(60_000)}`)?.names, [])
  t.same(navigationOf(`$filter=${"'".repeat(60_001)}`)?.names, [])
  for (const piece of ['(', ')', '/', ')/', 'a(/', ' /', '"', '"\\', '\'"', 'a ', '$apply=(', ';', ',', 'a(']) {
    for (const option of ['filter', 'expand', 'select', 'apply']) {
      t.ok(navigationOf(`$${option}=${piece.repeat(60_000 / piece.length)}`), `${option} of ${piece}`)
    }
  }
  t.end()
})

t.test('a query nested more deeply than Dynamics allows is not read, so that no name is missed', (t) => {
  const nested = (levels: number, inner: string): string =>
    `$expand=${'a($expand='.repeat(levels)}${inner}${')'.repeat(levels)}`
  t.same(navigationOf(nested(15, 'b'))?.names, ['a', 'b'])
  t.equal(navigationOf(nested(16, 'b')), undefined)
  t.equal(navigationOf(nested(6000, 'b')), undefined)
  t.same(navigationOf(`${nested(3, 'b')}&$filter=${'x'.repeat(60_000)}`)?.names, ['a', 'b'])
  t.equal(navigationOf(nested(14, 'b'.repeat(60_000))), undefined, 'each level could be read again')
  t.end()
})

t.test('finds nested queries', (t) => {
  t.equal(navigationOf('fetchXml=%3Cfetch%3E')?.query, 'fetchxml')
  t.same(navigationOf('fetchXml=%3Centity+name="account"/%3E'), {
    names: ['account'],
    entities: ['account'],
    query: undefined,
  })
  t.equal(navigationOf('$top=1&%73avedQuery=1')?.query, 'savedquery')
  t.equal(navigationOf('userQuery=1')?.query, 'userquery')
  t.equal(navigationOf('tag=fetchXml')?.query, undefined)
  t.end()
})

t.test('a query that cannot be decoded is not read', (t) => {
  for (const query of ['$filter=%zz', '%=1', 'a=%c0%ae', '%C5%BFavedQuery=1', '$e%C2%A0xpand=a'])
    t.equal(navigationOf(query), undefined, query)
  t.end()
})

t.test('an option without a value navigates nowhere', async (t) => {
  t.match(navigationOf('$count&$select=name'), { names: new Set() })
})
