import t from 'tap'

import { upstreamObjectLinks } from '../../src/odata/object-links.ts'
import { requestQuery } from '../../src/odata/request-query.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'

const root = 'https://org.crm4.dynamics.com/api/data/v9.2'
const map = urlMap(targetAddress(root), { base: 'http://gw:8080', form: 'short' })

t.test('links in the JSON of a parameter alias are rewritten to the target, in the same encoding', async (t) => {
  const encoded = encodeURIComponent(root)
  for (const [query, expected] of [
    ["?@t={'@odata.id':'http://gw:8080/accounts(1)'}", `?@t={'@odata.id':'${root}/accounts(1)'}`],
    [
      '@t={"@odata.id":"http://GW:8080/api/data/v9.1/a"}',
      '@t={"@odata.id":"https://org.crm4.dynamics.com/api/data/v9.1/a"}',
    ],
    ["?a=1&@t={'@id' : 'http://gw:8080/a'}&b=2", `?a=1&@t={'@id' : '${root}/a'}&b=2`],
    [
      '?%40t=%7B%27%40odata.id%27%3A%27http%3A%2F%2Fgw%3A8080%2Fa%27%7D',
      `?%40t=%7B%27%40odata.id%27%3A%27${encoded}%2Fa%27%7D`,
    ],
    ["?@t=%7B'%40odata.id':'http://gw:8080/a'%7D", `?@t=%7B'%40odata.id':'${root}/a'%7D`],
    ["?@t={'@odata.id':'http:\\/\\/gw:8080\\/a'}", `?@t={'@odata.id':'${root}\\/a'}`],
    ["?@t={@odata.id:'http://gw:8080/a'}", `?@t={@odata.id:'${root}/a'}`],
    [
      "?@t={'a@odata.bind':'http://gw:8080/a','n':1,'b@bind':['http://gw:8080/b','/c',\"http://gw:8080/d\"]," +
        "'w':'http://gw:8080/e'}",
      `?@t={'a@odata.bind':'${root}/a','n':1,'b@bind':['${root}/b','/c',"${root}/d"],'w':'http://gw:8080/e'}`,
    ],
    [
      "?@t=[{'@odata.id':'http://gw:8080/a'},{'@odata.id':'http://gw:8080/b','x':{'@odata.id':'http://gw:8080/c'}}]",
      `?@t=[{'@odata.id':'${root}/a'},{'@odata.id':'${root}/b','x':{'@odata.id':'${root}/c'}}]`,
    ],
  ] as const)
    t.equal(requestQuery(map, query), expected, query)
})

t.test('texts in a parameter alias are unchanged', async (t) => {
  for (const query of [
    "?@t='http://gw:8080/a'",
    '?@t=\'{"@odata.id":"http://gw:8080/a"}\'',
    "?@t='it''s {',@odata.id:'http://gw:8080/a'",
    "?@t={'w':'http://gw:8080/a'}",
    "?@t={'w':'\"@odata.id\":\"http://gw:8080/a'}",
    "?@t={'@odata.id':'https://evil.example/a'}",
    "?@t={'@odata.id':['http://gw:8080/a']}",
    "?@t={'@odata.id':{'x':'http://gw:8080/a'}}",
    "?@t={'@odata.idx':'http://gw:8080/a'}",
    "?@t={'@odata.id','http://gw:8080/a'}",
    "?@t={'@odata.id",
    "?@t={'",
    '?@t={',
    '?@t={}}}:',
    "?@t={'a':'\\",
    "?$filter=x eq '{@odata.id:' and y eq 'http://gw:8080/a'",
    "?t={'@odata.id':'http://gw:8080/a'}",
    '?@=&@&=@t',
  ])
    t.equal(requestQuery(map, query), query, query)
})

t.test('parameters in the path may also contain links', async (t) => {
  t.equal(upstreamObjectLinks(map, "/F(T={'@odata.id':'http://gw:8080/a'})"), `/F(T={'@odata.id':'${root}/a'})`)
  for (const path of ['/accounts(name=\'{"@odata.id":"http://gw:8080/a"}\')', '/accounts', "/a(n='{')"]) {
    t.equal(upstreamObjectLinks(map, path), path)
  }
})

t.test('every link of a long alias is found', async (t) => {
  const alias = Array.from({ length: 900 }, () => "{'@odata.id':'http%3A//gw:8080/a'}").join()

  t.equal(requestQuery(map, `?@t=[${alias}]`).match(/crm4/g)?.length, 900)
  t.equal(requestQuery(map, `?@t=${"{'".repeat(16_000)}`).length, 32_004)
})

t.test('only the gateway in $id is replaced by the target, in the same encoding', async (t) => {
  for (const [query, expected] of [
    ['$id=http://gw:8080/accounts(1)', `$id=${root}/accounts(1)`],
    ['?$id=http://gw:8080/api/data/v9.2/accounts(1)', `?$id=${root}/accounts(1)`],
    ['%24id=http%3A%2F%2Fgw%3a8080%2Faccounts(1)', `%24id=${encodeURIComponent(root)}%2Faccounts(1)`],
    ['$ID=http://gw:8080/a', '$ID=http://gw:8080/a'],
    ['a=%zz&$id=http://gw%3A8080/a(%27%zz%27)&b=%2522+', `a=%zz&$id=${encodeURIComponent(root)}/a(%27%zz%27)&b=%2522+`],
    ["$filter=x eq 'http://gw:8080/a'&a$id=http://gw:8080/a", "$filter=x eq 'http://gw:8080/a'&a$id=http://gw:8080/a"],
    ['$id=https://evil.example/accounts(1)', '$id=https://evil.example/accounts(1)'],
    ['$id=accounts(1)', '$id=accounts(1)'],
    ['$id=', '$id='],
    ['', ''],
    ['$top=3', '$top=3'],
  ] as const)
    t.equal(requestQuery(map, query), expected, query)
})
