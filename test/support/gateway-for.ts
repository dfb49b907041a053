import { join } from 'node:path'
import { Writable } from 'node:stream'

import { pino } from 'pino'
import type { Test } from 'tap'

import { startEmulator } from '../../emulator/emulator.ts'
import type { Emulator, EmulatorOptions } from '../../emulator/emulator.ts'
import { run } from '../../src/commands/serve/run.ts'
import type { Running } from '../../src/commands/serve/run.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/schema.ts'
import { logOptions } from '../../src/observe/log.ts'
import { withLongTimeouts, LONG_REPLICA_TIMES } from './long-timeouts.ts'

/** A gateway on a real socket, in front of an emulated Entra and Dynamics. */
export interface Fixture {
  /** The address of the gateway. */
  readonly url: string
  readonly emulator: Emulator
  readonly running: Running
  /** The log lines so far, parsed. */
  readonly lines: Record<string, unknown>[]
  /** The raw log. */
  readonly log: () => string
  /** The settings that a reload reads. */
  readonly next: { settings: Settings | undefined }
}

/**
 * Starts both, and closes them with the test. `variables` are added to the settings of an app registration with a
 * secret.
 */
export async function gatewayFor(
  t: Test,
  variables: NodeJS.ProcessEnv = {},
  options: EmulatorOptions = {},
): Promise<Fixture> {
  return gatewayForEmulator(t, await startEmulator(options), variables)
}

/** A gateway in front of an existing emulator, as a replica or after a restart. */
export function gatewayForEmulator(t: Test, emulator: Emulator, variables: NodeJS.ProcessEnv = {}): Promise<Fixture> {
  return start(
    t,
    emulator,
    loadSettings(
      {
        DYNAMICS_URL: emulator.environment,
        AZURE_TENANT_ID: emulator.tenantId,
        AZURE_CLIENT_ID: emulator.clientId,
        AZURE_CLIENT_SECRET: emulator.clientSecret,
        PORT: '0',
        SHUTDOWN_TIMEOUT: '2s',
        ...variables,
      },
      undefined,
    ),
  )
}

/** The same with a settings file. `credential` is the app registration of the emulator. */
export async function gatewayWithFile(t: Test, settings: (credential: object) => object): Promise<Fixture> {
  const emulator = await startEmulator()
  const credential = {
    kind: 'client-secret',
    tenantId: emulator.tenantId,
    clientId: emulator.clientId,
    secret: { env: 'SECRET' },
  }
  const file = join(t.testdir({ 'gateway.json': JSON.stringify(settings(credential)) }), 'gateway.json')
  return start(t, emulator, loadSettings({ SECRET: emulator.clientSecret, PORT: '0', SHUTDOWN_TIMEOUT: '2s' }, file))
}

async function start(t: Test, emulator: Emulator, settings: Settings): Promise<Fixture> {
  let written = ''
  const log = pino(
    logOptions('trace'),
    new Writable({
      write: (chunk, _encoding, done) => {
        written += String(chunk)
        done()
      },
    }),
  )
  const next: Fixture['next'] = { settings: undefined }
  const nothing = async (): Promise<void> => undefined
  const running = await run(
    withLongTimeouts(settings),
    log,
    { reads: emulator.dispatcher, writes: emulator.dispatcher, destroy: nothing },
    () => (next.settings === undefined ? undefined : { settings: next.settings, applied: () => undefined }),
    LONG_REPLICA_TIMES,
  ).catch(async (error: unknown) => {
    await emulator.close()
    throw error
  })
  t.teardown(async () => {
    running.stop()
    running.stop()
    await running.stopped
    await emulator.close()
  })
  return {
    url: running.address,
    emulator,
    running,
    get lines() {
      return written
        .trim()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    },
    log: () => written,
    next,
  }
}
