import t from 'tap'

import { NO_PREFERENCES, preferencesOf } from '../../src/odata/preferences.ts'

t.test('preferences are read in any letter case, beside others', async (t) => {
  t.same(preferencesOf('Respond-Async, wait=10, odata.callback; url="https://a.example", return=representation'), {
    callback: true,
    wantsRow: true,
    respondAsync: true,
    waitSeconds: 10,
  })
  t.same(preferencesOf('odata.include-annotations="*"'), NO_PREFERENCES)
  t.same(preferencesOf('return=minimal, x-wait=3'), NO_PREFERENCES)
})

t.test('a caller waits for seconds', async (t) => {
  t.equal(preferencesOf('Wait = "5"').waitSeconds, 5)
  t.equal(preferencesOf('odata.track-changes;wait=005').waitSeconds, 5)
  for (const prefer of ['wait=0', 'wait=', 'wait=1000000', 'wait=x'])
    t.equal(preferencesOf(prefer).waitSeconds, undefined)
})
