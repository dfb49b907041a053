import t from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { key, generateKey } from '../../src/commands/key.ts'

t.test('prints a new key of 256 bits, and the hash for the settings', async (t) => {
  let printed = ''
  const stdout = { write: (text: string) => (printed += text) }
  t.equal(await key({}, { stdout, stderr: stdout }), 0)

  const [made] = /dgk_[\w-]{43}/.exec(printed)!
  t.match(printed, keyHash(made))
  t.not(generateKey(), generateKey())
})

t.test('the hash is what sha256sum prints', (t) => {
  t.equal(keyHash('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  t.end()
})
