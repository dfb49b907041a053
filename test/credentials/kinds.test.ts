import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import t from 'tap'

import { CHOOSING_VARIABLES } from '../../src/config/choose-credential.ts'
import { credentialKinds } from '../../src/config/settings/credential.ts'
import { KINDS } from '../../src/credentials/kinds.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

t.test('every kind of credential has a source file and a test with its name', async (t) => {
  for (const kind of Object.keys(KINDS)) {
    t.ok(existsSync(`${root}src/credentials/${kind}.ts`), `src/credentials/${kind}.ts`)
    t.ok(existsSync(`${root}test/credentials/${kind}.test.ts`), `test/credentials/${kind}.test.ts`)
  }
})

t.test('the error for a missing secret names the variables of all other kinds', async (t) => {
  const { hint } = credentialKinds['client-secret'].settings.members.secret
  for (const variable of [...CHOOSING_VARIABLES, 'CREDENTIAL']) t.match(hint, variable)
})
