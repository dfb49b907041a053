import t from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { changedForRestart } from '../../src/config/restart.ts'

const settings = (variables: NodeJS.Dict<string>) =>
  loadSettings(
    {
      DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
      CREDENTIAL: 'managed-identity',
      ...variables,
    },
    undefined,
  )

t.test('names the changed settings that need a restart, at any level', async (t) => {
  const before = settings({})
  t.same(changedForRestart(before, settings({})), [])
  t.same(
    changedForRestart(
      before,
      settings({
        PORT: '9000',
        LOG_LEVEL: 'debug',
        CONNECT_TIMEOUT: '7s',
        IMPERSONATION: 'off',
        MAX_RETRY_WAIT: '1s',
        BODY_LIMIT: '1MiB',
      }),
    ),
    ['port', 'logLevel', 'targets[].connectTimeout'],
  )
  const tls = { certificate: 'a', key: 'b', clientCa: undefined }
  t.same(changedForRestart(before, { ...before, tls }), ['tls.certificate', 'tls.key'])
  t.same(changedForRestart(before, { ...before, targets: [...before.targets, ...before.targets] }), [])
})
