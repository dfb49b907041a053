import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/schema.ts'

/** Settings of a gateway whose replicas share state at `url`, or of a single gateway. */
export function replicaSettings(url: string | undefined, variables: Readonly<Record<string, string>> = {}): Settings {
  return loadSettings(
    {
      DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
      AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
      AZURE_CLIENT_ID: '11111111-2222-3333-4444-666666666666',
      AZURE_CLIENT_SECRET: 'a-secret-that-replicas-share',
      ...(url === undefined ? {} : { REDIS_URL: url }),
      ...variables,
    },
    undefined,
  )
}
