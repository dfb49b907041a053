import { readFileSync } from 'node:fs'

import type { Emulator } from '../../emulator/emulator.ts'
import type { Io } from './command-io.ts'
import type { DynamicsFault } from './demo/dynamics-faults.ts'
import { strike } from './demo/dynamics-faults.ts'

export interface EmulatorCommandOptions {
  /** Where to listen; 8090 where it is left out. */
  readonly port?: number | undefined
  /** PEM files; with both, it serves HTTPS. */
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  /** What is wrong: with the environment, or an error of Entra by its number. */
  readonly fault?: DynamicsFault | number | undefined
}

const DEFAULT_PORT = 8090

/**
 * Serves the emulated Entra and Dynamics 365 alone, on loopback, until a signal stops it: for tests of other programs.
 *
 * @returns the exit status
 */
export async function emulator(options: EmulatorCommandOptions, io: Io): Promise<number> {
  const { startEmulator } = await import('../../emulator/emulator.ts')
  const { port = DEFAULT_PORT, certificate, key, fault } = options
  if ((certificate === undefined) !== (key === undefined))
    return complain('Give both --certificate and --key, or neither.')
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
    return complain(
      syscall === 'listen'
        ? `Port ${port} cannot be used (${code}): choose another with --port.`
        : `The certificate or its key cannot be used (${code}): give PEM files that belong together, the key without a password.`,
    )
  }
  if (typeof fault === 'number') emulated.faults.entra.always({ kind: 'aadsts', number: fault })
  else if (fault !== undefined) strike(emulated, fault)
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve()).once('SIGINT', () => resolve())
  })
  io.stdout.write(addressesOf(emulated))
  await stopped
  await emulated.close()
  return 0

  function complain(text: string): number {
    io.stderr.write(`${text}\n`)
    return 1
  }
}

/** What a program needs to use it, as variables to paste. */
function addressesOf({ origin, tenantId, clientId, clientSecret }: Emulator): string {
  return `dynamics-gateway emulator: Entra and Dynamics 365 with sample data, at ${origin}
Nothing is kept. Ctrl+C ends it. The settings of a program that uses it:

  DYNAMICS_URL=${origin}
  AZURE_AUTHORITY_HOST=${origin}
  AZURE_TENANT_ID=${tenantId}
  AZURE_CLIENT_ID=${clientId}
  AZURE_CLIENT_SECRET='${clientSecret}'

`
}
