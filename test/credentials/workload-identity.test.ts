import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'

import t from 'tap'

import { loadSettings } from '../../src/config/load.ts'
import { connectCredential } from '../../src/credentials/connect-credential.ts'
import { memoryLog, startAuthority } from '../support/authority.ts'
import { until } from '../support/until.ts'

t.test('sends the current content of the file, also after Kubernetes replaced its symbolic link', async (t) => {
  const dir = t.testdir({ '..1': { token: 'a.b.first\n' } })
  symlinkSync('..1', `${dir}/..data`)
  symlinkSync('..data/token', `${dir}/token`)
  const authority = await startAuthority(t)
  const [target] = loadSettings(
    {
      DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
      AZURE_TENANT_ID: '11111111-1111-1111-1111-111111111111',
      AZURE_CLIENT_ID: '22222222-2222-2222-2222-222222222222',
      AZURE_FEDERATED_TOKEN_FILE: `${dir}/token`,
    },
    undefined,
  ).targets
  const log = memoryLog()
  const credential = connectCredential(target!, { agent: authority.dispatcher, log })
  t.teardown(credential.close)
  await credential.authorization()

  mkdirSync(`${dir}/..2`)
  writeFileSync(`${dir}/..2/token`, 'a.b.second\n')
  symlinkSync('..2', `${dir}/..new`)
  renameSync(`${dir}/..new`, `${dir}/..data`)
  await until(() => credential.state().renewals === 2)

  t.same(
    authority.requests.map(({ form }) => form.get('client_assertion')),
    ['a.b.first', 'a.b.second'],
  )
  t.match(Object.fromEntries(authority.requests[0]!.form), {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  })

  const token = credential.authorization()
  writeFileSync(`${dir}/..2/token`, 'half a tok')
  credential.reload()
  await until(() => credential.state().failures === 1)
  t.equal(credential.authorization(), token, 'a file that is being written does not discard the token')
  t.match(credential.state().lastFailure, /holds no token/)
})

t.test('a missing token file is explained, and the access token stays in use', async (t) => {
  const dir = t.testdir({ token: 'a.b.first' })
  const authority = await startAuthority(t)
  const [target] = loadSettings(
    {
      DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
      AZURE_TENANT_ID: '11111111-1111-1111-1111-111111111111',
      AZURE_CLIENT_ID: '22222222-2222-2222-2222-222222222222',
      AZURE_FEDERATED_TOKEN_FILE: `${dir}/token`,
    },
    undefined,
  ).targets
  const credential = connectCredential(target!, { agent: authority.dispatcher, log: memoryLog() })
  t.teardown(credential.close)
  const token = await credential.authorization()
  rmSync(`${dir}/token`)
  credential.reload()
  await until(() => credential.state().failures === 1)
  t.match(credential.state().lastFailure, /cannot be read \(ENOENT\).*azure\.workload\.identity/)
  t.equal(credential.authorization(), token)
})
