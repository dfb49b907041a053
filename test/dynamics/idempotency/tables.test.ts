import t from 'tap'

import { tableIn } from '../../../src/dynamics/idempotency/tables.ts'

const account = {
  LogicalName: 'account',
  EntitySetName: 'accounts',
  PrimaryIdAttribute: 'accountid',
  TableType: 'Standard',
  IsIntersect: false,
  IsLogicalEntity: false,
  DataProviderId: null,
}

t.test('accepts a table whose rows can be created with a given primary key', async (t) => {
  t.same(tableIn([account], 'accounts'), { logicalName: 'account', keyColumn: 'accountid' })
  t.same(tableIn([{ ...account, TableType: 'Activity' }], 'accounts'), {
    logicalName: 'account',
    keyColumn: 'accountid',
  })
})

t.test('refuses any other table, and an incomplete definition', async (t) => {
  t.match(tableIn([], 'accounts'), /is not an entity set/)
  t.match(tableIn([{ ...account, EntitySetName: 'Accounts' }], 'accounts'), /is not an entity set/)
  const others = [
    { TableType: 'Elastic' },
    { TableType: 'Virtual' },
    { TableType: 'Datasource' },
    { TableType: undefined },
    { IsIntersect: true },
    { IsIntersect: undefined },
    { IsLogicalEntity: true },
    { DataProviderId: '7015a531-cc0d-4537-b5f2-c882a1eb65ad' },
    { LogicalName: 'activityparty' },
    { LogicalName: 'activitypointer' },
    { PrimaryIdAttribute: null },
    { PrimaryIdAttribute: 'a","b' },
  ]
  for (const other of others) {
    t.match(tableIn([{ ...account, ...other }], 'accounts'), /cannot be given a primary key/, JSON.stringify(other))
  }
})
