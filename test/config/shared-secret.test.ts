import t from 'tap'

import type { Credential } from '../../src/config/credential.ts'
import { sharedSecretOf } from '../../src/config/shared-secret.ts'

t.test('the shared secret of replicas is derived from the client secret or the certificate', async (t) => {
  const folder = t.testdir({ certificate: 'certificate and key' })
  const file = `${folder}/certificate`
  const secret = { reveal: () => 'secret', source: 'test' }
  const credential = (kind: string, members: object): Credential => ({ kind, ...members }) as unknown as Credential
  t.equal(String(sharedSecretOf(credential('client-secret', { secret }))?.()), 'secret')
  t.equal(String(sharedSecretOf(credential('certificate', { file }))?.()), 'certificate and key')
  t.equal(String(sharedSecretOf(credential('on-behalf-of', { secret }))?.()), 'secret')
  t.equal(String(sharedSecretOf(credential('on-behalf-of', { certificateFile: file }))?.()), 'certificate and key')
  for (const kind of ['on-behalf-of', 'workload-identity', 'managed-identity', 'delegated']) {
    t.equal(sharedSecretOf(credential(kind, {})), undefined, kind)
  }
})
