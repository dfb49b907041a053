import t from 'tap'
import { entitySetOf, resourcePath } from '../../src/odata/resource-path.ts'

t.test('the names of a path are decoded once, and keys are data', async t => {
  for (const [path, names, system, qualified] of [
    ['/accounts', ['accounts'], [], []],
    ['accounts(1)', ['accounts'], [], []],
    ["/accounts(name='A/B')/contacts/$ref", ['accounts', 'contacts'], ['$ref'], []],
    ["/accounts(name='A%2FB''/x')/name/$value", ['accounts', 'name'], ['$value'], []],
    ['/%61ccounts%281%29/$count', ['accounts'], ['$count'], []],
    ['/opportunities(1)/Microsoft.Dynamics.CRM.WinOpportunity()', ['opportunities', 'Microsoft.Dynamics.CRM.WinOpportunity'], [], ['WinOpportunity']],
    ["/EntityDefinitions(LogicalName='a')/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
      ['EntityDefinitions', 'Attributes', 'Microsoft.Dynamics.CRM.PicklistAttributeMetadata'], [], ['PicklistAttributeMetadata']],
    ['/WhoAmI()', ['WhoAmI'], [], []],
    ['/$batch', [], ['$batch'], []],
    ['/$metadata', [], ['$metadata'], []],
    ['/$crossjoin(accounts,contacts)', ['accounts', 'contacts'], ['$crossjoin'], []],
    ['/accounts/', ['accounts'], [], []],
    ['', [], [], []],
    ['/', [], [], []],
    ["/accounts('", [], [], []],
  ] as const) t.match(resourcePath(path), { names: [...names], system: [...system], qualified: [...qualified] }, path)
})

t.test('a path starts with an entity set, a function or a system resource', async t => {
  t.equal(entitySetOf("/accounts(name='x')/contacts"), 'accounts')
  t.equal(entitySetOf('/%41ccounts'), 'Accounts')
  t.equal(entitySetOf('/$metadata'), '$metadata')
  t.equal(entitySetOf('/WhoAmI()'), 'WhoAmI')
  t.equal(entitySetOf('/'), '')
})
