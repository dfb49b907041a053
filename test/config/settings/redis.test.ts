import { generate } from 'selfsigned'
import t from 'tap'

import type { SettingsError } from '../../../src/config/settings-error.ts'
import { replicaSettings } from '../../support/replica-settings.ts'

function errorsOf(url: string, variables: Readonly<Record<string, string>> = {}): readonly string[] {
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
    const errors = errorsOf(url)
    t.match(errors, [/^REDIS_URL is not the address of a Redis: write redis:\/\/host:6379/], url)
    t.notMatch(errors.join(), /sec/, url)
  }
  t.match(errorsOf('redis://me:100%@redis'), [/^REDIS_URL has a % that encodes nothing: write %25/])
})

t.test('a placeholder or an unknown part is an error that does not repeat it', async (t) => {
  for (const url of [
    'redis://${ZQ}:6379',
    'redis://{{zq}}:6379',
    'redis://your-host',
    'redis://:${ZQ}@r',
    'redis://:<zq>@r',
  ]) {
    t.match(errorsOf(url), [/^REDIS_URL holds an? |^REDIS_URL holds the words /], url)
    t.notMatch(errorsOf(url).join(), /zq/i)
  }
  for (const url of ['redis://r?tls=zq', 'redis://r#zq', 'redis://r:0']) {
    t.match(errorsOf(url), [/^REDIS_URL has a \?, a # or a port that it cannot have: write rediss/], url)
  }
  const { cert } = await generate([{ name: 'commonName', value: 'ca' }], { keyType: 'ec', algorithm: 'sha256' })
  const ca = `${t.testdir({ ca: cert })}/ca`
  t.match(errorsOf('redis://r', { REDIS_CA_PATH: ca }), [/^REDIS_CA_PATH is set, but REDIS_URL has no TLS/])
})

t.test('Redis settings that depend on each other are checked', async (t) => {
  t.same(errorsOf('redis://redis', { REDIS_PASSWORD: 'p', REDIS_ENCRYPTION_KEY: '0123456789abcdef'.repeat(2) }), [])
  t.match(errorsOf('', { REDIS_PASSWORD: 'p' }), [/^REDIS_URL is missing: .*Write a URL such as rediss:/])
  t.match(errorsOf('redis://redis', { REDIS_ENCRYPTION_KEY: 'short' }), [
    /^REDIS_ENCRYPTION_KEY is too short: write at/,
  ])
  t.match(errorsOf('redis://redis', { REDIS_ENCRYPTION_KEY: 'k'.repeat(32) }), [
    /^REDIS_ENCRYPTION_KEY is too easy to guess: write at/,
  ])
  t.match(errorsOf('redis://redis', { REDIS_CA_PATH: '/nowhere' }), [/^REDIS_CA_PATH names a file that cannot be read/])
  const noCertificate = { REDIS_CA_PATH: `${t.testdir({ ca: 'x' })}/ca` }
  t.match(errorsOf('rediss://redis', noCertificate), [/^REDIS_CA_PATH names a file without a certificate: write one/])
})

t.test('a credential without a shared secret needs an encryption key', async (t) => {
  const managed = { AZURE_CLIENT_SECRET: '', AZURE_TENANT_ID: '', CREDENTIAL: 'managed-identity' }
  t.match(errorsOf('redis://redis', managed), [
    /^REDIS_ENCRYPTION_KEY is missing: a credential of kind managed-identity/,
  ])
  t.same(errorsOf('redis://redis', { ...managed, REDIS_ENCRYPTION_KEY: '0123456789abcdef'.repeat(2) }), [])
})
