import { readFileSync } from 'node:fs'

import type { Emulator } from '../../emulator/emulator.ts'
import type { Io } from './command-io.ts'
import type { DynamicsFault } from './demo/dynamics-faults.ts'
import { applyFault } from './demo/dynamics-faults.ts'

export interface EmulatorCommandOptions {
  /** The port to listen on; default: 8090. */
  readonly port?: number | undefined
  /** PEM files. If both are given, it serves HTTPS. */
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  /** The fault to emulate: a fault of the environment, or the number of an Entra error. */
  readonly fault?: DynamicsFault | number | undefined
}

const DEFAULT_PORT = 8090

/**
 * Serves only the emulated Entra and Dynamics 365, on loopback, until a signal stops it. For tests of other programs.
 *
 * @returns the exit status
 */
export async function emulator(options: EmulatorCommandOptions, io: Io): Promise<number> {
  const { startEmulator } = await import('../../emulator/emulator.ts')
  const { port = DEFAULT_PORT, certificate, key, fault } = options
  if ((certificate === undefined) !== (key === undefined))
    return printError('Give both --certificate and --key, or neither.')
  let emulated: Emulator
  try {
    emulated =
      certificate === undefined || key === undefined
        ? await startEmulator({ port })
        : await startEmulator({
            port,
            tls: { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') },
          })
  } catch (error) {
    const { code = 'unknown', syscall } = error as NodeJS.ErrnoException
    return printError(
      syscall === 'listen'
        ? `Port ${port} cannot be used (${code}): choose another with --port.`
        : `The certificate or its key cannot be used (${code}): use PEM files that belong together, and a key without a password.`,
    )
  }
  if (typeof fault === 'number') emulated.faults.entra.always({ kind: 'aadsts', number: fault })
  else if (fault !== undefined) applyFault(emulated, fault)
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve()).once('SIGINT', () => resolve())
  })
  io.stdout.write(addressesOf(emulated))
  await stopped
  await emulated.close()
  return 0

  function printError(text: string): number {
    io.stderr.write(`${text}\n`)
    return 1
  }
}

/** The environment variables that a program needs, to paste. */
function addressesOf({ origin, tenantId, clientId, clientSecret }: Emulator): string {
  return `dynamics-gateway emulator: Entra and Dynamics 365 with sample data, at ${origin}
No data is stored. Ctrl+C stops it. Settings for a program that uses it:

  DYNAMICS_URL=${origin}
  AZURE_AUTHORITY_HOST=${origin}
  AZURE_TENANT_ID=${tenantId}
  AZURE_CLIENT_ID=${clientId}
  AZURE_CLIENT_SECRET='${clientSecret}'

`
}
