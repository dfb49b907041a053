import t from 'tap'

import { bindsRows, expectedOf, matches, isSame } from '../../../src/dynamics/idempotency/compare.ts'

const ID = '11111111-1111-4111-8111-111111111111'

t.test('values that Dynamics stores in another form are equal', async (t) => {
  const same: [unknown, unknown, string][] = [
    ['A', 'A', 'the same text'],
    ['A ', 'A', 'blanks at the end'],
    ['', null, 'an empty text'],
    [undefined, null, 'nothing'],
    [12, 12, 'the same number'],
    ['12.50', 12.5, 'a number as text'],
    [12.345, 12.35, 'rounded to two decimals'],
    [1.23456789, 1.2346, 'rounded to four decimals'],
    [ID.toUpperCase(), ID, 'a GUID in capitals'],
    ['2026-03-04T05:06:07.891+01:00', '2026-03-04T04:06:07Z', 'a moment in another time zone'],
    ['2026-03-04', '2026-03-04T00:00:00Z', 'a date as a moment'],
    ['2026-03-04T05:06:07Z', '2026-03-04', 'a moment as a date'],
    ['3,1,2', '1,2,3', 'several choices'],
    [false, false, 'a boolean'],
  ]
  for (const [sent, stored, why] of same) t.ok(isSame(sent, stored), why)

  const different: [unknown, unknown, string][] = [
    ['A', 'B', 'another text'],
    ['a', 'A', 'another letter case'],
    ['A', null, 'nothing for a text'],
    [null, 'A', 'a text for nothing'],
    [12, 13, 'another number'],
    [12.5, 13, 'not rounded to two decimals'],
    [12, 12.004, 'more decimals than were sent'],
    [0, null, 'nothing for a number'],
    [true, false, 'another boolean'],
    [true, 'true', 'a text for a boolean'],
    ['2026-03-04T05:06:07Z', '2026-03-04T05:06:08Z', 'another second'],
    ['2026-03-04T05:06:07Z', '2026-03-05', 'another date'],
    ['1,2', '1,3', 'other choices'],
    ['11', '1,1', 'one choice for two'],
  ]
  for (const [sent, stored, why] of different) t.notOk(isSame(sent, stored), why)
})

t.test('columns and bound rows are compared; values that cannot be compared are skipped', async (t) => {
  const lookups = new Map([
    ['primarycontactid', 'primarycontactid'],
    ['new_Parent', 'new_parent'],
  ])
  const members = {
    '@odata.type': '#Microsoft.Dynamics.CRM.account',
    name: 'A',
    'name@some.annotation': 'x',
    'odd name': 1,
    'primarycontactid@odata.bind': `/contacts(${ID})`,
    'new_Parent@odata.bind': null,
    'unknown@odata.bind': `/contacts(${ID})`,
  }
  t.same(expectedOf(members, lookups), [
    { column: 'name', value: 'A' },
    { column: '_primarycontactid_value', value: ID },
    { column: '_new_parent_value', value: null },
  ])
  t.same(expectedOf({ 'primarycontactid@odata.bind': "/contacts(emailaddress1='a@b.c')" }, lookups), [])
  t.same(expectedOf({ 'primarycontactid@odata.bind': `/contacts(${ID})` }, undefined), [])
  t.ok(bindsRows(members))
  t.notOk(bindsRows({ name: 'A' }))
})

t.test('a row matches when every column that it contains has the expected value', async (t) => {
  const expected = [
    { column: 'name', value: 'A' },
    { column: 'secret', value: 'hidden' },
  ]
  t.ok(matches({ name: 'A' }, expected))
  t.ok(matches({ name: 'A', secret: 'hidden' }, expected))
  t.notOk(matches({ name: 'A', secret: 'other' }, expected))
})
