import t from 'tap'

import { SettingError } from '../../src/config/setting.ts'
import { rethrowUnless } from '../../src/logging/rethrow-unless.ts'

t.test('an error of another kind is rethrown', async (t) => {
  const bug = new TypeError('x is not a function')
  t.throws(() => rethrowUnless(bug, SettingError), bug)
  t.doesNotThrow(() => rethrowUnless(new SettingError('is wrong.'), SettingError))
})
