import t from 'tap'

import { featuresOf } from '../../../src/commands/serve/features.ts'
import { loadSettings } from '../../../src/config/load.ts'

t.test('enabled features are logged at startup', async (t) => {
  const settings = loadSettings({ DYNAMICS_URL: 'https://contoso.crm4.dynamics.com', INSPECTOR: 'true' }, undefined)
  const files = { certificate: '/c.pem', key: '/k.pem', clientCa: undefined }
  t.same(featuresOf(settings), ['request inspector'])
  t.same(featuresOf({ ...settings, inspector: false, tls: files, metricsPort: 9090 }), ['TLS', 'metrics listener'])
  t.same(featuresOf({ ...settings, inspector: false, tls: { ...files, clientCa: '/ca.pem' }, redis: {} as never }), [
    'TLS with client certificates',
    'replicas through Redis',
  ])
})
