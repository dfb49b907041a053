import t from 'tap'

import { fetchedEntities } from '../../src/odata/fetch-xml.ts'

t.test('finds every entity that a query reads', (t) => {
  t.same(fetchedEntities('<fetch top="5"><entity name="account"><attribute name="name" /></entity></fetch>'), [
    'account',
  ])
  t.same(
    fetchedEntities(`<fetch version='1.0'>
    <entity name='account'>
      <link-entity alias='c' name='contact' from='contactid' to='primarycontactid'><filter><condition attribute='x' operator='eq' value='a>b'/></filter></link-entity>
      <link-entity name = "team"></link-entity >
    </entity>
  </fetch>`),
    ['account', 'contact', 'team'],
  )
  t.same(fetchedEntities('<FETCH><ENTITY NAME="account"/></FETCH>'), ['account'])
  t.end()
})

t.test('ambiguous XML is not read', (t) => {
  for (const xml of [
    '',
    'account',
    '<fetch/>',
    '<fetch><entity/></fetch>',
    '<entity name="account" name="contact"/>',
    '<entity name=""/>',
    '<entity name="a b"/>',
    '<entity name="&#99;ontact"/>',
    '<entity name="account"/><!-- <entity name="contact"/> -->',
    '<?xml version="1.0"?><entity name="account"/>',
    '<![CDATA[<entity name="contact"/>]]><entity name="account"/>',
    '<!DOCTYPE x [<!ENTITY e "contact">]><entity name="account"/>',
    '<x:entity name="contact"/><entity name="account"/>',
    '<entity name="account"/><link-entity name=contact/>',
    '<entity name="account"/><link-entity name="contact"',
    '<entity name="account"/>&amp;',
    '<entity name="account" x="<"/>',
    '<entity name="account"/>< link-entity name="contact"/>',
  ])
    t.equal(fetchedEntities(xml), undefined, xml)
  t.end()
})
