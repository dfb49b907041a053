import { pino } from 'pino'

import { startEmulator } from '../../emulator/emulator.ts'
import { run } from '../../src/commands/serve/run.ts'
import { loadSettings } from '../../src/config/load.ts'
import { createAgent } from '../../src/outbound/agent.ts'
import { EntraRouter } from './gateway-on-sockets.ts'

// A gateway in its own process, in front of the Dynamics at the given origin: so a test sees what a response does to the
// process, and Node reads NODE_EXTRA_CA_CERTS at startup. Prints its address, and ends with its parent.

const emulator = await startEmulator()
const settings = loadSettings(
  {
    DYNAMICS_URL: process.argv[2]!,
    DYNAMICS_SCOPE: `${emulator.origin}/.default`,
    AZURE_TENANT_ID: emulator.tenantId,
    AZURE_CLIENT_ID: emulator.clientId,
    AZURE_CLIENT_SECRET: emulator.clientSecret,
    PORT: '0',
  },
  undefined,
)
const agent = createAgent({ connectTimeout: 10_000, connections: 64 })
const { address } = await run(settings, pino({ level: 'silent' }), {
  ...agent,
  reads: new EntraRouter(agent.reads, emulator.dispatcher),
})
console.log(address)
process.on('disconnect', () => process.exit())
