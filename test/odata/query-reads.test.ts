import t from 'tap'
import { queryReads } from '../../src/odata/query-reads.ts'

const nothing = { expanded: [], passed: [], fetched: [], opaque: [], unreadable: undefined }

t.test('a query of its own resource reads nothing else', async t => {
  for (const query of ['', '?', '$top=3', "?$select=name&$filter=name eq 'a/b'&$orderby=name", "$filter=contains(websiteurl,'http://x/y')", 'x', '&&', '=', '__proto__=1']) {
    t.same(queryReads(query), nothing, query)
  }
})

t.test('every navigation property in an $expand is named, however it is written', async t => {
  for (const [query, expanded] of [
    ['$expand=primarycontactid', ['primarycontactid']],
    ['$expand=a,b', ['a', 'b']],
    ['%24EXPAND=%61,b%28%24select%3Dx)', ['a', 'b']],
    ['expand=a', ['a']],
    ['$expand=a($select=x,y;$expand=b($filter=contains(x,\'),;(\');expand=c),d)', ['a', 'b', 'c', 'd']],
    ['$expand=a/$ref,b/$count($filter=x eq 1)', ['a', 'b']],
    ['$expand=a/Microsoft.Dynamics.CRM.contact/c', ['a', 'Microsoft.Dynamics.CRM.contact', 'c']],
    ['$expand=+a+,+b+(+$expand=+c+)', ['a', 'b', 'c']],
    ['$expand=*', ['*']],
    ['$expand=a&$expand=b', ['a', 'b']],
    ['$expand=*($levels=2)', ['*']],
  ] as const) t.same(queryReads(query), { ...nothing, expanded }, query)
})

t.test('names that an expression goes through are told', async t => {
  t.same(queryReads("$filter=primarycontactid/fullname eq 'a/b' or contacts/any(o:o/x eq 1)").passed, ['primarycontactid', 'contacts', 'o'])
  t.same(queryReads('$orderby=primarycontactid/fullname desc,owner /x').passed, ['primarycontactid', 'owner'])
  t.same(queryReads('$filter=@f&@f=a/b eq 1').passed, ['a'])
  t.same(queryReads('$expand=a($filter=b/c eq 1)').passed, ['b'])
  t.same(queryReads('x=/').passed, [])
})

t.test('the tables of a FetchXML are named', async t => {
  for (const [xml, fetched] of [
    ['<fetch><entity name="account"/></fetch>', ['account']],
    ["<?xml version='1.0'?>\n<!-- <entity name='x'/> --><fetch top = '3' >\n<entity\tname = 'Account'><attribute name='name'/><link-entity name='contact' from=\"a>b\" to='b'></link-entity></entity></fetch>", ['account', 'contact']],
    ['<fetch><entity name="&#97;ccount"><link-entity alias="name=\'x\'" name="&#x63;ontact"/></entity></fetch>', ['account', 'contact']],
    ['<FETCH><ENTITY NAME="account"/></FETCH>', ['account']],
  ] as const) {
    t.same(queryReads(`fetchXml=${encodeURIComponent(xml)}`), { ...nothing, fetched }, xml)
    t.same(queryReads(`FETCHXML=${xml.replaceAll('&', '%26').replaceAll('#', '%23')}`).fetched, fetched, `plain ${xml}`)
  }
})

t.test('options that read what cannot be told are named', async t => {
  t.same(queryReads('savedQuery=1&userquery=2&$apply=aggregate(x)&%24id=accounts(1)&Apply=x'), { ...nothing, opaque: ['savedQuery', 'userQuery', '$apply', '$id', '$apply'] })
})

t.test('what cannot be read for sure is never taken for harmless', async t => {
  for (const query of ['$filter=%zz', '$expand=%c0', '$expand=', '$expand=a(', '$expand=a)', "$expand=a('", '$expand=a(b)', '$expand=@p', '$expand=a,', '$expand=a b', '$expand=a($expand=)', '$expand=a()', '$expand=a($x)',
    `$expand=${'a($expand='.repeat(40)}a${')'.repeat(40)}`, '$expand=a($expand=b(', '$expand=a($expand=b c)', '$expand=a()(b)']) t.type(queryReads(query).unreadable, 'string', query)
  for (const xml of ['', 'x', '@p', '<fetch/>', '<entity name="a"/>', '<fetch><entity/></fetch>', '<fetch><entity name="a" name="b"/></fetch>', '<fetch><entity name="a b"/></fetch>', '<fetch><entity name="&amp;"/></fetch>',
    '<fetch><entity name="&#1114112;"/></fetch>', '<!DOCTYPE x><fetch><entity name="a"/></fetch>', '<fetch><![CDATA[<entity name="a"/>]]></fetch>', '<fetch><x:entity name="a"/></fetch>', '<fetch><entity name=a/></fetch>', '<fetch><entity name="a"', '<fetch><entity name="a"/><', '<!-- x']) {
    t.type(queryReads(`fetchXml=${encodeURIComponent(xml)}`).unreadable, 'string', xml)
  }
})

t.test('a long query takes no longer than its length', async t => {
  const long = 40_000
  for (const query of [`$filter=${'a'.repeat(long)}`, `$filter=${"'".repeat(long)}`, `$expand=a${' '.repeat(long)}!`, `$expand=a(${' '.repeat(long)}!)`, `fetchXml=<a${' '.repeat(long)}!`, `fetchXml=<a${' b = '.repeat(long / 5)}!`, `fetchXml=<!--${'-'.repeat(long)}`,
    `$expand=${'a('.repeat(long / 2)}`, `$filter=${' '.repeat(long)}/x`]) t.ok(queryReads(query), query.slice(0, 20))
})
