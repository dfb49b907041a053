import t from 'tap'

import { hasFetchXml, nextFetchXmlPage } from '../../src/odata/fetch-xml-page.ts'

const INNER = '<cookie page="1"><accountid last="{A}" first="{B&C}" /></cookie>'
const COOKIE = `<cookie pagenumber="2" pagingcookie="${encodeURIComponent(encodeURIComponent(INNER))}" istracking="False" />`

/** The FetchXML of the next page. */
function next(xml: string, cookie: string | undefined, moreRecords = true): string | undefined {
  const path = nextFetchXmlPage(`/accounts?x=1&fetchXml=${encodeURIComponent(xml)}&y='2'`, { moreRecords, cookie })
  const [, value] = /^\/accounts\?x=1&fetchXml=([^&]+)&y='2'$/.exec(path ?? '') ?? []
  return value === undefined ? undefined : decodeURIComponent(value)
}

t.test('the next page has a number and the cookie, and is the same otherwise', async (t) => {
  const cookie =
    'paging-cookie="&lt;cookie page=&quot;1&quot;&gt;&lt;accountid last=&quot;{A}&quot; first=&quot;{B&amp;C}&quot; /&gt;&lt;/cookie&gt;"'
  const rest = '><entity name="account"><attribute name="name" /></entity></fetch>'

  t.equal(next(`<fetch${rest}`, COOKIE), `<fetch page="2" ${cookie}${rest}`)
  t.equal(
    next(`<fetch count='50' page='1' paging-cookie="old" distinct="true"${rest}`, COOKIE),
    `<fetch page="2" ${cookie} count='50' distinct="true"${rest}`,
  )
  t.equal(next(`<fetch page="7"${rest}`, undefined), `<fetch page="8"${rest}`, 'without a cookie')
  t.equal(next(`<fetch${rest}`, '<cookie pagenumber="3" pagingcookie="" />'), `<fetch page="3"${rest}`)
  t.equal(next(`<fetch${rest}`, "<cookie pagenumber='3' pagingcookie='%zz' />"), `<fetch page="3"${rest}`, 'unreadable')
  t.equal(next(`<fetch${rest}`, '<cookie pagingcookie="%25zz" />'), `<fetch page="2"${rest}`)
})

t.test('without more rows, or if the query cannot be parsed, there is no next page', async (t) => {
  const xml = '<fetch><entity name="account" /></fetch>'
  t.equal(next(xml, COOKIE, false), undefined)
  t.equal(next(`<!-- <fetch> -->${xml}`, COOKIE), undefined)
  t.equal(next('<fetch/>', COOKIE), undefined)
  t.equal(next('<x><entity name="account" /></x>', COOKIE), undefined)
  const more = { moreRecords: true, cookie: COOKIE }
  t.equal(nextFetchXmlPage('/accounts?savedQuery=1', more), undefined)
  t.equal(nextFetchXmlPage('/accounts?fetchXml=%zz', more), undefined)
})

t.test('FetchXML is recognised by its query option', async (t) => {
  for (const query of ['?fetchXml=a', '?x=1&fetchxml=a', '?savedQuery=1', '?userQuery=1', '?%66etchXml=a'])
    t.ok(hasFetchXml(query))
  for (const query of ['', '?$filter=fetchXml', '?afetchXml=1', '?%ff=1']) t.notOk(hasFetchXml(query))
})
