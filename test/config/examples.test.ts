import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t from 'tap'

import { readDotEnv } from '../../src/config/dot-env.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/schema.ts'
import { credentialKinds } from '../../src/config/settings/credential.ts'

const folder = fileURLToPath(new URL('../../../config/', import.meta.url))
/** Files on the host that the examples name. */
const NAMED = /\/(?:etc|run|var\/run)\/[\w./-]+/g
/** Variables that the examples take secrets from. */
const SECRETS = { SALES_CLIENT_SECRET: 's3cret' }

/** What each example demonstrates. */
const EXAMPLES: Readonly<Record<string, object>> = {
  'minimal.env': {
    host: '127.0.0.1',
    targets: [{ url: { product: 'dataverse' }, credential: { kind: 'client-secret' } }],
  },
  'sidecar.env': { host: '127.0.0.1', targets: [{ impersonation: { mode: 'required', header: 'x-forwarded-email' } }] },
  'managed-identity.env': { targets: [{ credential: { kind: 'managed-identity', clientId: undefined } }] },
  'workload-identity.env': { targets: [{ credential: { kind: 'workload-identity' } }] },
  'national-cloud.env': { targets: [{ url: { authorityHost: 'https://login.microsoftonline.us' } }] },
  'delegated.env': { targets: [{ credential: { kind: 'delegated' }, impersonation: { mode: 'off' } }] },
  'business-central.env': { targets: [{ url: { product: 'business-central', apiRoot: '/v2.0/Production/api/v2.0' } }] },
  'certificate.yaml': { targets: [{ credential: { kind: 'certificate' } }] },
  'on-behalf-of.yaml': {
    callers: [{ name: 'portal', userFrom: 'on-behalf-of' }],
    targets: [{ credential: { kind: 'on-behalf-of' }, impersonation: { mode: 'off' } }],
  },
  'gateway.yaml': {
    host: '0.0.0.0',
    trustNetwork: false,
    callers: [{ name: 'billing' }, { name: 'dashboard' }, { name: 'portal' }],
    targets: [{ name: 'sales' }, { name: 'service' }, { name: 'finance', url: { product: 'finance-and-operations' } }],
  },
}

t.test('every example is loaded here', async (t) => {
  t.same(
    readdirSync(folder)
      .filter((file) => !['README.md', 'schema.json'].includes(file))
      .sort(),
    Object.keys(EXAMPLES).sort(),
  )
})

t.test('every kind of credential has an example', async (t) => {
  const texts = Object.keys(EXAMPLES).map((file) => JSON.stringify(EXAMPLES[file]))
  for (const kind of Object.keys(credentialKinds)) {
    t.ok(
      texts.some((text) => text.includes(`{"kind":"${kind}"`)),
      kind,
    )
  }
})

for (const [file, about] of Object.entries(EXAMPLES)) {
  t.test(`${file} starts a gateway`, async (t) => {
    const text = readFileSync(join(folder, file), 'utf8')
    const here = t.testdir(Object.fromEntries((text.match(NAMED) ?? []).map((path) => [basename(path), 'x'])))
    const moved = text.replace(NAMED, (path) => join(here, basename(path)))
    t.match(load(t.testdir({ ...contents(here), [file]: moved }), file), about)
  })
}

function load(folder: string, file: string): Settings {
  const path = join(folder, file)
  return file.endsWith('.env')
    ? // The values that an example leaves to the reader.
      loadSettings(
        readDotEnv(readFileSync(path, 'utf8').replace('the-value-of-the-secret', 's3cret')).variables,
        undefined,
      )
    : loadSettings(SECRETS, path)
}

function contents(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]))
}
