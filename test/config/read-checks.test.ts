import t from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { loadSettings } from '../../src/config/load.ts'

t.test('a shared table must be readable alike by all callers', async (t) => {
  const shared = [{ entitySets: ['businessunits'], shared: true }]
  t.match(errorsOf(t, shared, ['deny GET businessunits'], []), /rules of two callers differ on reading it/)
  t.match(errorsOf(t, shared, ['deny * *'], []), /differ/)
  t.match(errorsOf(t, shared, ['allow GET accounts'], []), /differ/)
  t.equal(errorsOf(t, shared, ['deny POST businessunits', 'read-only'], ['deny * annotations']), '')
  t.equal(errorsOf(t, shared, ['allow GET businessunits'], ['allow GET businessunits']), '')
  t.equal(errorsOf(t, [{ entitySets: ['businessunits'] }], ['deny GET businessunits'], []), '')
})

t.test('a table may be listed only once, and a list names at least one', async (t) => {
  const twice = [{ entitySets: ['businessunits'] }, { entitySets: ['BusinessUnits'], for: '1h' }]
  t.match(errorsOf(t, twice, [], []), /businessunits is listed twice/)
  t.match(errorsOf(t, [{ entitySets: [] }], [], []), /entitySets is empty/)
  t.match(errorsOf(t, [{ for: '1h' }], [], []), /entitySets .* is missing/)
  t.match(errorsOf(t, [{ entitySets: ['a b'] }], [], []), /is not the name of an entity set/)
  t.match(errorsOf(t, [{ entitySets: ['a'], for: '1ms' }], [], []), /too short/)
})

function errorsOf(
  t: { testdir: (files: Record<string, string>) => string },
  keep: readonly object[],
  first: readonly string[],
  second: readonly string[],
): string {
  const settings = {
    callers: [first, second].map((rules, index) => ({ name: `app${index}`, keys: [keyHash(`key ${index}`)], rules })),
    targets: [
      {
        url: 'https://contoso.crm4.dynamics.com',
        credential: {
          kind: 'client-secret',
          tenantId: '11111111-1111-4111-8111-111111111111',
          clientId: '22222222-2222-4222-8222-222222222222',
          secret: { env: 'SECRET' },
        },
        reads: { keep },
      },
    ],
  }
  try {
    loadSettings({ SECRET: 'not-a-secret' }, `${t.testdir({ 'gateway.json': JSON.stringify(settings) })}/gateway.json`)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}
