import t from 'tap'

import { topOf, withTop } from '../../src/odata/top.ts'

t.test('$top is found only as a query option', async (t) => {
  for (const [query, top] of [
    ['?$top=3', 3],
    ['?$select=name&%24top=12', 12],
    ['?$filter=a eq %27&$top=1', 1],
    ['?$top=%36', 6],
    ['?$top=+6', 6],
    ['?$top=%2B6', 6],
    ['?$top=%206', 6],
    ['?%24to%70=6%20', 6],
    ['?$top=-6', Infinity],
    ['?$top=', Infinity],
    ['?$top', Infinity],
    ['?$expand=x($top=2)', Infinity],
    ['?$top=x', Infinity],
    ['', Infinity],
  ] as const) {
    t.equal(topOf(query), top, query)
  }
})

t.test('$top is replaced or added', async (t) => {
  for (const [path, result] of [
    ['/a', '/a?$top=5'],
    ['/a?$select=x', '/a?$select=x&$top=5'],
    ['/a?$top=10&$skiptoken=%3ccookie%20a%3d%22b%22', '/a?$top=5&$skiptoken=%3ccookie%20a%3d%22b%22'],
    ['/a?$top=%31%30&$select=x', '/a?$top=5&$select=x'],
    ['/a?%24to%70=+10', '/a?%24to%70=5'],
    ['/a?x=$top=3&%24Top=10', '/a?x=$top=3&%24Top=5'],
  ] as const) {
    t.equal(withTop(path, 5), result)
  }
})
