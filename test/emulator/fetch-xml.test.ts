import t from 'tap'

import { emulatorFor } from '../support/started-emulator.ts'

const fetchXml = (inner: string, attributes = '', name = 'account'): string =>
  `accounts?fetchXml=${encodeURIComponent(`<fetch${attributes}><entity name="${name}">${inner}</entity></fetch>`)}`
const NAME = '<attribute name="name"/>'
const PAGING = {
  prefer: 'odata.include-annotations="Microsoft.Dynamics.CRM.morerecords,Microsoft.Dynamics.CRM.fetchxmlpagingcookie"',
}

t.test('FetchXML selects, filters and orders rows', async (t) => {
  const { call, emulator } = await emulatorFor(t)
  const names = emulator.rows('accounts').map(({ name }) => String(name))
  const [first = '', second = ''] = names

  const all = await call(fetchXml(`${NAME}<order attribute="name" descending="true"/>`))
  t.equal(all.status, 200)
  const value = all.json['value'] as unknown as { name: string }[]
  t.equal(value.length, names.length)
  t.ok(value[0]!.name.toLowerCase() >= value[1]!.name.toLowerCase())

  const count = async (condition: string): Promise<number> =>
    ((await call(fetchXml(`${NAME}<filter type="and">${condition}</filter>`))).json['value'] as unknown as []).length
  const xml = (text: string): string => text.replaceAll('&', '&amp;')
  t.equal(await count(`<condition attribute="name" operator="eq" value="${xml(first)}"/>`), 1)
  t.equal(
    await count(
      `<condition attribute='name' operator='in'><value>${xml(first)}</value><value>${xml(second)}</value></condition>`,
    ),
    2,
  )
  t.equal(await count('<condition attribute="name" operator="not-null"/>'), names.length)
  t.equal(await count('<condition attribute="name" operator="null"/>'), 0)
  t.equal(await count('<condition attribute="primarycontactid" operator="ne" value="x"/>'), names.length)
  t.equal(((await call(fetchXml(NAME, ' top="3"'))).json['value'] as unknown as []).length, 3)
  t.equal((await call(fetchXml('<all-attributes/>', ' top="1"'))).status, 200)
})

t.test('pages of FetchXML continue by number and cookie, byte for byte, without a link', async (t) => {
  const { call } = await emulatorFor(t)
  const one = await call(fetchXml(NAME, ' count="50"'), { headers: PAGING })
  t.notOk(one.json['@odata.nextLink'])
  t.equal(one.json['@Microsoft.Dynamics.CRM.morerecords'] as unknown, true)
  const annotation = String(one.json['@Microsoft.Dynamics.CRM.fetchxmlpagingcookie'])
  const [, page, encoded = ''] = /^<cookie pagenumber="(\d)" pagingcookie="([^"]+)"/.exec(annotation)!
  const cookie = decodeURIComponent(decodeURIComponent(encoded))
  const attribute = cookie.replaceAll('<', '&lt;').replaceAll('"', '&quot;')

  const two = await call(fetchXml(NAME, ` count="50" page="${page}" paging-cookie="${attribute}"`), { headers: PAGING })
  t.equal((two.json['value'] as unknown as []).length, 50)
  t.not(two.text, one.text)
  const byNumber = await call(fetchXml(NAME, ' count="50" page="2"'), { headers: PAGING })
  t.same(byNumber.json['value'], two.json['value'])
  const wrong = await call(fetchXml(NAME, ` count="50" page="2" paging-cookie="${attribute} "`))
  t.equal(wrong.status, 400)
  const silent = await call(fetchXml(NAME, ' count="50"'))
  t.notMatch(silent.text, /morerecords|pagingcookie/, 'only where they are asked for')
})

t.test('malformed FetchXML is refused with 400, and unsupported FetchXML with 501', async (t) => {
  const { call } = await emulatorFor(t)
  for (const xml of [
    '',
    'x',
    '<fetch/>',
    '<fetch><entity name="account"></fetch>',
    '<fetch></entity>',
    '<fetch>x<',
    '<a b=c>',
  ]) {
    const { status } = await call(`accounts?fetchXml=${encodeURIComponent(xml)}`)
    t.ok(status === 400 || status === 501, `${xml}: ${status}`)
  }
  t.equal((await call(`${fetchXml(NAME)}${encodeURIComponent('<fetch/>')}`)).status, 400)
  t.equal((await call(fetchXml(NAME, '', 'contact'))).status, 400)
  t.equal((await call(fetchXml('<order attribute="nothing"/>'))).status, 400)
  t.equal((await call(fetchXml(NAME, ' top="1" page="2"'))).status, 400)
  for (const inner of [
    '<link-entity name="contact"/>',
    '<filter type="or"></filter>',
    '<filter><condition attribute="name" operator="like" value="x"/></filter>',
  ]) {
    t.equal((await call(fetchXml(inner))).status, 501, inner)
  }
  t.equal((await call(fetchXml(NAME, ' aggregate="true"'))).status, 501)
})
