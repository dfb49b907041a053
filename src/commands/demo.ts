import { loadSettings, SettingsFault } from '../config/load.ts'
import type { DataverseFault, FaultQueue } from '../emulator/emulator.ts'
import { createLog } from '../observe/log.ts'
import { check } from './check.ts'
import { run } from './serve.ts'

/** What `demo` may be told. */
export interface DemoOptions {
  readonly port?: string | boolean | undefined
  readonly throttle?: string | boolean | undefined
  readonly fault?: string | boolean | undefined
}

/** Runs a gateway before an emulated Entra and Dynamics 365 until it is told to stop. */
export async function demo({ port, throttle, fault }: DemoOptions): Promise<number> {
  if (fault !== undefined && !/^(AADSTS)?\d{4,7}$/i.test(String(fault))) {
    throw new SettingsFault([`--fault ${String(fault)} is no error of Entra: write one such as AADSTS7000222.`])
  }
  const { startEmulator } = await import('../emulator/emulator.ts')
  const emulator = await startEmulator()
  const settings = loadSettings({
    DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
    AZURE_TENANT_ID: emulator.tenantId,
    AZURE_CLIENT_ID: emulator.clientId,
    AZURE_CLIENT_SECRET: emulator.clientSecret,
    HOST: process.env['HOST'],
    TRUST_NETWORK: process.env['TRUST_NETWORK'],
    LOG_LEVEL: process.env['LOG_LEVEL'],
    LOG_FORMAT: process.env['LOG_FORMAT'],
    PORT: port === undefined ? process.env['PORT'] : String(port),
  }, undefined)
  const log = await createLog(settings, (writeOut) => process.on('exit', writeOut))
  const nothing = async (): Promise<void> => undefined
  const agent = { reads: emulator.dispatcher, writes: emulator.dispatcher, close: nothing, destroy: nothing }
  if (throttle === true) keepThrottling(emulator.faults.dataverse)
  if (typeof fault === 'string') {
    emulator.faults.entra.always({ kind: 'aadsts', number: Number(fault.replace(/^AADSTS/i, '')) })
  }
  const running = await run(settings, log, agent).catch(async (error: unknown) => {
    await emulator.close()
    throw error
  })
  process.on('SIGTERM', running.stop).on('SIGINT', running.stop)
  process.stdout.write(invitation(running.address))
  if (throttle === true) process.stdout.write(throttled(running.address))
  if (typeof fault === 'string') {
    process.stdout.write('What `dynamics-gateway check` says of this fault:\n\n')
    await check({}, {
      settings, agent: emulator.dispatcher, env: {}, stdout: process.stdout, stderr: process.stderr, emulated: true,
    })
  }
  await running.stopped
  await emulator.close()
  return 0
}

/** What a person looks at with `--throttle`. */
function throttled(address: string): string {
  return `Every fourth request meets a limit of three seconds. The gateway waits it out; Server-Timing says how long:

  for i in 1 2 3 4 5; do curl -s -o /dev/null -D - ${address}/WhoAmI | grep -i server-timing; done

`
}

/** Refuses the fourth request, for three seconds, and then the fourth again. */
function keepThrottling(faults: FaultQueue<DataverseFault>): void {
  setInterval(() => {
    if (faults.pending === 0) faults.push({ kind: 'throttle', limit: 'count', retryAfter: 3, skip: 3 })
  }, 100).unref()
}

/** What a person tries first: lines to paste. */
function invitation(address: string): string {
  const user = 'x-user-email: adele.vance@contoso.com'
  return `
dynamics-gateway demo: an emulated environment with sample data, at ${address}
No account, no network, nothing is kept. Paste these into another terminal:

  # three accounts; no credentials in sight
  curl "${address}/accounts?\\$select=name,revenue&\\$top=3"

  # the next page: the link leads back through the gateway
  curl -H "Prefer: odata.maxpagesize=2" "${address}/contacts?\\$select=fullname"

  # a new account as Adele Vance: see createdby and createdonbehalfby
  curl -X POST "${address}/accounts?\\$select=name,_createdby_value,_createdonbehalfby_value" \\
    -H "${user}" -H "Content-Type: application/json" -H "Prefer: return=representation" \\
    -d '{"name":"Fabrikam Rockets"}'

  # nobody has this address, so nothing is sent
  curl -H "x-user-email: nobody@contoso.com" ${address}/WhoAmI

  # who am I: the application user, and Adele
  curl ${address}/WhoAmI
  curl -H "${user}" ${address}/WhoAmI

Ctrl+C ends it. With your own environment: dynamics-gateway --help

`
}
