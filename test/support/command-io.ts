import type { Test } from 'tap'

import { startEmulator } from '../../emulator/emulator.ts'
import type { CommandIo } from '../../src/commands/command-io.ts'
import { loadSettings } from '../../src/config/load.ts'

/** What a command has to work with: an emulated Entra and Dynamics, and writers that can be read. */
export async function commandFor(t: Test, env: Record<string, string> = {}) {
  const emulator = await startEmulator()
  t.teardown(() => emulator.close())
  const written = { stdout: '', stderr: '' }
  const [variables, settings] = settingsFor(emulator, env)
  const io: CommandIo = {
    settings,
    agent: emulator.dispatcher,
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
  return { emulator, written, io }
}

function settingsFor(emulator: Awaited<ReturnType<typeof startEmulator>>, env: Record<string, string>) {
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
