import { join } from 'node:path'

import type { Test } from 'tap'

import { startEmulator } from '../../emulator/emulator.ts'
import type { Emulator } from '../../emulator/emulator.ts'
import type { CommandIo } from '../../src/commands/command-io.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/schema.ts'
import { withLongTimeouts } from './long-timeouts.ts'

/** The environment of a command: an emulated Entra and Dynamics, and recorded output. */
export async function commandFor(t: Test, env: Record<string, string> = {}) {
  const emulator = await startEmulator()
  t.teardown(() => emulator.close())
  return { emulator, ...ioOf(emulator, ...settingsFor(emulator, env)) }
}

/** The same for callers with a person's token, with a credential of `kind`. `change` is added to the caller. */
export async function commandForPeople(t: Test, kind = 'on-behalf-of', change: object = {}) {
  const emulator = await startEmulator()
  t.teardown(() => emulator.close())
  const { tenantId, clientId, clientSecret, environment } = emulator
  const caller = {
    name: 'portal',
    token: {
      issuer: `https://login.microsoftonline.com/${tenantId}/v2.0`,
      audience: [clientId],
      scopes: ['access_as_user'],
      clientIds: ['9b2d6c1f-0a4e-4f3b-8d57-1c6e9a20b7f4'],
    },
    userFrom: 'on-behalf-of',
    ...change,
  }
  const credential = { kind, tenantId, clientId, secret: { env: 'SECRET' } }
  const content = JSON.stringify({ callers: [caller], targets: [{ url: environment, credential }] })
  const file = join(t.testdir({ 'gateway.json': content }), 'gateway.json')
  const variables = { SECRET: clientSecret }
  return { emulator, ...ioOf(emulator, variables, loadSettings(variables, file)) }
}

function ioOf(emulator: Emulator, variables: Record<string, string>, settings: Settings) {
  const written = { stdout: '', stderr: '' }
  const io: CommandIo = {
    settings: withLongTimeouts(settings),
    agent: emulator.dispatcher,
    emulated: emulator.environment !== emulator.origin && settings.callers.length > 0,
    env: variables,
    stdout: {
      write: (text) => {
        written.stdout += text
      },
    },
    stderr: {
      write: (text) => {
        written.stderr += text
      },
    },
  }
  return { written, io }
}

function settingsFor(emulator: Emulator, env: Record<string, string>) {
  const variables = {
    DYNAMICS_URL: emulator.origin,
    AZURE_TENANT_ID: emulator.tenantId,
    AZURE_CLIENT_ID: emulator.clientId,
    ...(Object.keys(env).some((name) => /SECRET|CERTIFICATE|FEDERATED|CREDENTIAL/.test(name))
      ? {}
      : {
          AZURE_CLIENT_SECRET: emulator.clientSecret,
        }),
    ...env,
  }
  return [variables, loadSettings(variables, undefined)] as const
}
