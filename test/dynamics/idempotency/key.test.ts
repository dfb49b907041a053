import t from 'tap'

import { loadSettings } from '../../../src/config/load.ts'
import { bodyDigest, parseKey, rowId } from '../../../src/dynamics/idempotency/key.ts'
import { saltOf } from '../../../src/dynamics/idempotency/salt.ts'

t.test('a key is one Structured Fields string', async (t) => {
  t.equal(parseKey('"8e03978e-40d5-43dd-bc93-6894a57f9324"'), '8e03978e-40d5-43dd-bc93-6894a57f9324')
  t.equal(parseKey(' "order 17" '), 'order 17')
  t.equal(parseKey(String.raw`"a \"quoted\" \\ key"`), String.raw`a "quoted" \ key`)
  t.equal(parseKey(`"${'k'.repeat(255)}"`), 'k'.repeat(255))

  const wrong = [
    '',
    '""',
    'unquoted',
    "'single'",
    '"open',
    '"one", "two"',
    '"one" "two"',
    '"inner " quote"',
    String.raw`"bad \n escape"`,
    String.raw`"ends in \"`,
    '"tab\t"',
    '"ümlaut"',
    '"parameter";a=1',
    ':Ynl0ZXM=:',
    '42',
    `"${'k'.repeat(256)}"`,
  ]
  for (const value of wrong) t.equal(parseKey(value), undefined, value)
})

t.test('the row id is a version 8 UUID that depends on each part of the scope', async (t) => {
  const scope = { origin: 'https://contoso.crm4.dynamics.com', user: '', entitySet: 'accounts', key: 'k' }
  const id = rowId('salt', scope)

  t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.equal(rowId('salt', { ...scope, origin: 'HTTPS://CONTOSO.crm4.dynamics.com' }), id)
  const others = [
    rowId('pepper', scope),
    rowId('salt', { ...scope, origin: 'https://fabrikam.crm4.dynamics.com' }),
    rowId('salt', { ...scope, user: 'CallerObjectId:1' }),
    rowId('salt', { ...scope, entitySet: 'contacts' }),
    rowId('salt', { ...scope, key: 'K' }),
    rowId('salt', { ...scope, entitySet: 'account', key: 'sk' }),
  ]
  t.equal(new Set([id, ...others]).size, 7)
})

t.test('a digest distinguishes bodies, and depends on the salt', async (t) => {
  t.equal(bodyDigest('s', Buffer.from('{}')), bodyDigest('s', Buffer.from('{}')))
  t.not(bodyDigest('s', Buffer.from('{}')), bodyDigest('s', Buffer.from('{ }')))
  t.not(bodyDigest('s', Buffer.from('{}')), bodyDigest('t', Buffer.from('{}')))
})

t.test('replicas with the same app registration have the same salt, whatever their secret is', async (t) => {
  const registration = { AZURE_TENANT_ID: TENANT_ID, AZURE_CLIENT_ID: CLIENT_ID }
  const first = saltWith({ ...registration, AZURE_CLIENT_SECRET: 'first secret' })
  t.equal(saltWith({ ...registration, AZURE_CLIENT_SECRET: 'second secret' }), first)
  t.not(saltWith({ ...registration, AZURE_CLIENT_ID: TENANT_ID, AZURE_CLIENT_SECRET: 'first secret' }), first)
})

t.test('a managed identity has a salt without a tenant, and without a client id if it has none', async (t) => {
  t.equal(saltWith({}), '["dynamics-gateway","",""]')
  t.equal(saltWith({ AZURE_CLIENT_ID: CLIENT_ID }), `["dynamics-gateway","","${CLIENT_ID}"]`)
})

const TENANT_ID = '11111111-1111-4111-8111-111111111111'
const CLIENT_ID = '22222222-2222-4222-8222-222222222222'

function saltWith(variables: NodeJS.ProcessEnv): string {
  const { targets } = loadSettings({ DYNAMICS_URL: 'https://contoso.crm4.dynamics.com', ...variables }, undefined)
  return saltOf(targets[0]!)
}
