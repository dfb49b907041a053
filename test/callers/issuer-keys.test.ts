import { generateKeyPairSync } from 'node:crypto'

import { exportJWK } from 'jose'
import t from 'tap'

import { issuerKeys } from '../../src/callers/issuer-keys.ts'

const MINUTE = 60_000

t.test('keys are fetched again when the issuer rotates them, and stay in use while it is unreachable', async (t) => {
  const issuer = await emulatedIssuer()
  let now = 0
  const keys = issuerKeys('https://idp.example', 'https://idp.example/keys', issuer.readJson, () => now)
  const find = (kid: string): Promise<unknown> =>
    Promise.resolve(keys({ alg: 'RS256', kid }, { payload: '', signature: '' }))

  await Promise.all([find('a'), find('a')])
  t.equal(issuer.reads(), 1, 'concurrent requests share one fetch')
  await t.rejects(find('b'), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
  issuer.kid = 'c'
  await find('c')
  t.equal(issuer.reads(), 3, 'an unknown key id does not delay a rotation')
  issuer.kid = 'a'
  await find('a')
  issuer.kid = 'b'

  await t.rejects(Promise.resolve(keys({ alg: 'HS256' }, { payload: '', signature: '' })), {
    code: 'ERR_JOSE_NOT_SUPPORTED',
  })

  now += MINUTE
  await find('b')
  t.equal(issuer.reads(), 5, 'the issuer has rotated its key')
  for (let index = 0; index < 20; index += 1) await t.rejects(find(`random${index}`))
  t.ok(issuer.reads() <= 9, 'invented key ids do not cause repeated fetches')

  now += 11 * MINUTE
  issuer.failing = true
  await find('b')
  await find('b')
  t.ok(issuer.reads() <= 10, 'known keys stay in use, and the issuer is not contacted again at once')

  now += 24 * 60 * MINUTE
  await t.rejects(find('b'), { code: 'GATEWAY_CALLER_KEYS_UNAVAILABLE', retryAfter: 5 })
  now += MINUTE
  issuer.failing = false
  await find('b')
})

t.test("keys are fetched only from the URL that the issuer's metadata names", async (t) => {
  const documents: Record<string, unknown> = {
    'https://idp.example/tenant/v2.0/.well-known/openid-configuration': {
      issuer: 'https://idp.example/tenant/v2.0',
      jwks_uri: 'https://idp.example/keys',
    },
    'https://idp.example/keys': { keys: [] },
    'https://other.example/.well-known/openid-configuration': {
      issuer: 'https://idp.example',
      jwks_uri: 'https://idp.example/keys',
    },
    'https://plain.example/.well-known/openid-configuration': {
      issuer: 'https://plain.example',
      jwks_uri: 'http://plain.example/keys',
    },
    'https://none.example/.well-known/openid-configuration': { issuer: 'https://none.example' },
  }
  const find = (issuer: string): Promise<unknown> =>
    Promise.resolve(
      issuerKeys(issuer, undefined, (url) => Promise.resolve(documents[url]))(
        { alg: 'RS256' },
        {
          payload: '',
          signature: '',
        },
      ),
    )

  await t.rejects(find('https://idp.example/tenant/v2.0'), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
  for (const issuer of [
    'https://other.example',
    'https://plain.example',
    'https://none.example',
    'https://unreachable.example',
  ]) {
    await t.rejects(find(issuer), { code: 'GATEWAY_CALLER_KEYS_UNAVAILABLE' }, issuer)
  }
})

async function emulatedIssuer(): Promise<{
  kid: string
  failing: boolean
  reads: () => number
  readJson: () => Promise<unknown>
}> {
  const jwk = await exportJWK(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)
  let reads = 0
  const issuer = {
    kid: 'a',
    failing: false,
    reads: () => reads,
    readJson: () => {
      reads += 1
      return issuer.failing
        ? Promise.reject(new Error('unreachable'))
        : Promise.resolve({ keys: [{ ...jwk, kid: issuer.kid, alg: 'RS256' }] })
    },
  }
  return issuer
}
