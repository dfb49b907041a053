import type { DataverseFault, FaultQueue } from '../../../emulator/emulator.ts'
import { processVariables } from '../../config/process-variables.ts'
import { createLog } from '../../observe/log.ts'
import { check } from '../check/check.ts'
import type { Io } from '../command-io.ts'
import { run } from '../serve/run.ts'
import { applyFault } from './dynamics-faults.ts'
import type { DynamicsFault } from './dynamics-faults.ts'
import { emulatedSettings } from './emulated-settings.ts'
import { startEmulators } from './emulators.ts'
import { welcome, throttleHint } from './welcome.ts'

export interface DemoOptions {
  readonly config?: string | undefined
  readonly port?: number | undefined
  /** Dynamics refuses every fourth request. */
  readonly throttle?: boolean | undefined
  /** The fault to emulate: a fault of the environment, or the number of an Entra error. */
  readonly fault?: DynamicsFault | number | undefined
}

/**
 * Runs a gateway in front of an emulated Entra and Dynamics 365 until a signal stops it. Settings apply as for `serve`:
 * callers, rules, impersonation, several targets.
 *
 * @returns the exit status
 * @throws {SettingsError}
 */
export async function demo({ config, port, throttle, fault }: DemoOptions, io: Io): Promise<number> {
  const registration = await import('../../../emulator/emulator.ts')
  const variables = processVariables()
  const { settings, replaced } = emulatedSettings(
    port === undefined ? variables : { ...variables, env: { ...variables.env, PORT: String(port) } },
    config,
    registration,
  )
  const log = createLog(settings, (writeOut) => process.on('exit', writeOut))
  const { all, dispatcher, close } = await startEmulators(settings)
  try {
    for (const emulator of all) {
      const { dataverse, entra } = emulator.faults
      if (throttle === true) keepThrottling(dataverse)
      if (typeof fault === 'number') entra.always({ kind: 'aadsts', number: fault })
      else if (fault !== undefined) applyFault(emulator, fault)
    }
    const nothing = async (): Promise<void> => undefined
    const running = await run({ ...settings, inspector: true }, log, {
      reads: dispatcher,
      writes: dispatcher,
      destroy: nothing,
    })
    process.on('SIGTERM', running.stop).on('SIGINT', running.stop)
    io.stdout.write(welcome(running, settings, replaced))
    if (throttle === true) io.stdout.write(throttleHint(running, settings))
    if (fault !== undefined) {
      io.stdout.write('`dynamics-gateway check` reports this error as follows:\n\n')
      const user = fault === 'no-delegate' ? 'adele.vance@contoso.com' : undefined
      await check({ user }, { ...io, settings, agent: dispatcher, env: {}, emulated: true })
    }
    await running.stopped
  } finally {
    await close()
  }
  return 0
}

/** Refuses every fourth request with a limit of three seconds. */
function keepThrottling(faults: FaultQueue<DataverseFault>): void {
  setInterval(() => {
    if (faults.pending === 0) faults.push({ kind: 'throttle', limit: 'count', retryAfter: 3, skip: 3 })
  }, 100).unref()
}
