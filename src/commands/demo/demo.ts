import type { DataverseFault, FaultQueue } from '../../../emulator/emulator.ts'
import { processVariables, SettingsFault } from '../../config/load.ts'
import { createLog } from '../../observe/log.ts'
import { check } from '../check/check.ts'
import { run } from '../serve/serve.ts'
import { emulatedSettings } from './emulated-settings.ts'
import { startEmulators } from './emulators.ts'
import { invitation, throttled } from './invitation.ts'

/** What `demo` may be told. */
export interface DemoOptions {
  readonly config?: string | boolean | undefined
  readonly port?: string | boolean | undefined
  readonly throttle?: string | boolean | undefined
  readonly fault?: string | boolean | undefined
}

/**
 * Runs a gateway before an emulated Entra and Dynamics 365 until it is told to stop. Settings count as for `serve`:
 * callers, rules, impersonation, several targets.
 *
 * @throws {SettingsFault}
 */
export async function demo({ config, port, throttle, fault }: DemoOptions): Promise<number> {
  const faults = optionFaults(port, fault)
  if (faults.length > 0) throw new SettingsFault(faults)
  const registration = await import('../../../emulator/emulator.ts')
  const variables = processVariables()
  const { settings, replaced } = emulatedSettings(
    port === undefined ? variables : { ...variables, env: { ...variables.env, PORT: String(port) } },
    config as string | undefined,
    registration,
  )
  const log = await createLog(settings, (writeOut) => process.on('exit', writeOut))
  const { all, dispatcher, close } = await startEmulators(settings)
  try {
    for (const {
      faults: { dataverse, entra },
    } of all) {
      if (throttle === true) keepThrottling(dataverse)
      if (typeof fault === 'string') entra.always({ kind: 'aadsts', number: Number(fault.replace(/^AADSTS/i, '')) })
    }
    const nothing = async (): Promise<void> => undefined
    const running = await run(settings, log, {
      reads: dispatcher,
      writes: dispatcher,
      close: nothing,
      destroy: nothing,
    })
    process.on('SIGTERM', running.stop).on('SIGINT', running.stop)
    process.stdout.write(invitation(running.address, settings, replaced))
    if (throttle === true) process.stdout.write(throttled(running.address))
    if (typeof fault === 'string') {
      process.stdout.write('What `dynamics-gateway check` says of this fault:\n\n')
      await check(
        {},
        {
          settings,
          agent: dispatcher,
          env: {},
          stdout: process.stdout,
          stderr: process.stderr,
          emulated: true,
        },
      )
    }
    await running.stopped
  } finally {
    await close()
  }
  return 0
}

function optionFaults(port: DemoOptions['port'], fault: DemoOptions['fault']): string[] {
  const isPort = port === undefined || (/^\d{1,5}$/.test(String(port)) && Number(port) <= 65_535)
  const isFault = fault === undefined || /^(AADSTS)?\d{4,7}$/i.test(String(fault))
  return [
    ...(isPort ? [] : [`--port ${String(port)} is no port: write a whole number from 0 to 65535.`]),
    ...(isFault ? [] : [`--fault ${String(fault)} is no error of Entra: write one such as AADSTS7000222.`]),
  ]
}

/** Refuses the fourth request, for three seconds, and then the fourth again. */
function keepThrottling(faults: FaultQueue<DataverseFault>): void {
  setInterval(() => {
    if (faults.pending === 0) faults.push({ kind: 'throttle', limit: 'count', retryAfter: 3, skip: 3 })
  }, 100).unref()
}
