import { generate } from 'selfsigned'
import t from 'tap'

import type { SettingsError } from '../../../src/config/settings-error.ts'
import { replicaSettings } from '../../support/replica-settings.ts'

function faultsOf(url: string, variables: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    replicaSettings(url, variables)
    return []
  } catch (error) {
    return (error as SettingsError).errors
  }
}

t.test('an invalid address is an error that does not repeat it', async (t) => {
  for (const url of [
    'localhost:6379',
    'http://me:secret@redis',
    'redis://me:sec/ret@redis',
    'redis://',
    'redis://a/b',
  ]) {
    const faults = faultsOf(url)
    t.match(faults, [/^REDIS_URL is not the address of a Redis: write redis:\/\/host:6379/], url)
    t.notMatch(faults.join(), /sec/, url)
  }
  t.match(faultsOf('redis://me:100%@redis'), [/^REDIS_URL has a % that encodes nothing: write %25/])
})

t.test('what a template left over, or is not read, is an error that does not repeat it', async (t) => {
  for (const url of [
    'redis://${ZQ}:6379',
    'redis://{{zq}}:6379',
    'redis://your-host',
    'redis://:${ZQ}@r',
    'redis://:<zq>@r',
  ]) {
    t.match(faultsOf(url), [/^REDIS_URL holds an? |^REDIS_URL holds the words /], url)
    t.notMatch(faultsOf(url).join(), /zq/i)
  }
  for (const url of ['redis://r?tls=zq', 'redis://r#zq', 'redis://r:0']) {
    t.match(faultsOf(url), [/^REDIS_URL has a \?, a # or a port that it cannot have: write rediss/], url)
  }
  const { cert } = await generate([{ name: 'commonName', value: 'ca' }], { keyType: 'ec', algorithm: 'sha256' })
  const ca = `${t.testdir({ ca: cert })}/ca`
  t.match(faultsOf('redis://r', { REDIS_CA_PATH: ca }), [/^REDIS_CA_PATH is set, but REDIS_URL has no TLS/])
})

t.test('the settings of Redis go together', async (t) => {
  t.same(faultsOf('redis://redis', { REDIS_PASSWORD: 'p', REDIS_ENCRYPTION_KEY: '0123456789abcdef'.repeat(2) }), [])
  t.match(faultsOf('', { REDIS_PASSWORD: 'p' }), [/^REDIS_URL is missing: .*Write a URL such as rediss:/])
  t.match(faultsOf('redis://redis', { REDIS_ENCRYPTION_KEY: 'short' }), [
    /^REDIS_ENCRYPTION_KEY is too short: write at/,
  ])
  t.match(faultsOf('redis://redis', { REDIS_ENCRYPTION_KEY: 'k'.repeat(32) }), [
    /^REDIS_ENCRYPTION_KEY is too easy to guess: write at/,
  ])
  t.match(faultsOf('redis://redis', { REDIS_CA_PATH: '/nowhere' }), [/^REDIS_CA_PATH names a file that cannot be read/])
  const noCertificate = { REDIS_CA_PATH: `${t.testdir({ ca: 'x' })}/ca` }
  t.match(faultsOf('rediss://redis', noCertificate), [/^REDIS_CA_PATH names a file without a certificate: write one/])
})

t.test('a credential without a secret that replicas share needs a key', async (t) => {
  const managed = { AZURE_CLIENT_SECRET: '', AZURE_TENANT_ID: '', CREDENTIAL: 'managed-identity' }
  t.match(faultsOf('redis://redis', managed), [
    /^REDIS_ENCRYPTION_KEY is missing: a credential of kind managed-identity/,
  ])
  t.same(faultsOf('redis://redis', { ...managed, REDIS_ENCRYPTION_KEY: '0123456789abcdef'.repeat(2) }), [])
})
