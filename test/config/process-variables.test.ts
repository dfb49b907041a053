import t from 'tap'

import { environment } from '../../src/config/process-variables.ts'

const TENANT = '11111111-2222-3333-4444-555555555555'

t.test('.env in the working directory sets variables that the environment does not', async (t) => {
  const before = process.cwd()
  const folder = t.testdir({
    '.env':
      `\uFEFFDYNAMICS_URL=https://contoso.crm4.dynamics.com\r\nexport AZURE_TENANT_ID="${TENANT}" # the tenant\n` +
      'PORT=9000\nEMPTY=\n',
  })
  t.teardown(() => process.chdir(before))
  process.chdir(folder)
  process.env['PORT'] = '9001'
  t.teardown(() => {
    delete process.env['PORT']
  })

  const env = environment()

  t.match(env, { DYNAMICS_URL: 'https://contoso.crm4.dynamics.com', AZURE_TENANT_ID: TENANT, PORT: '9001' })
  t.notOk('EMPTY' in env)
})
