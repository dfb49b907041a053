import { join } from 'node:path'

import { pino } from 'pino'
import t from 'tap'

import { startEmulator } from '../emulator/emulator.ts'
import { createResponseMemory } from '../src/cache/response-memory.ts'
import { loadSettings } from '../src/config/load.ts'
import { createMetrics } from '../src/observe/metrics.ts'
import { inProcess } from '../src/replicas/in-process.ts'
import { createTargetRuntime } from '../src/target-runtime.ts'
import { outbound } from './support/connection-fixture.ts'

t.test('a target for people is never reached as the application', async (t) => {
  const emulator = await startEmulator()
  t.teardown(() => emulator.close())
  const { environment, tenantId, clientId, clientSecret, dispatcher } = emulator
  const settings = {
    callers: [
      {
        name: 'portal',
        token: {
          issuer: `https://login.microsoftonline.com/${tenantId}/v2.0`,
          audience: [clientId],
          scopes: ['access_as_user'],
          clientIds: ['9b2d6c1f-0a4e-4f3b-8d57-1c6e9a20b7f4'],
        },
        userFrom: 'on-behalf-of',
      },
    ],
    targets: [
      { url: environment, credential: { kind: 'on-behalf-of', tenantId, clientId, secret: { env: 'SECRET' } } },
    ],
  }
  const file = join(t.testdir({ 'gateway.json': JSON.stringify(settings) }), 'gateway.json')
  const { targets, bodyLimit, cacheMemory } = loadSettings({ SECRET: clientSecret }, file)
  const runtime = createTargetRuntime(targets[0]!, {
    agent: { reads: dispatcher, writes: dispatcher, destroy: async () => undefined },
    log: pino({ level: 'silent' }),
    metrics: createMetrics({ lag: () => 0, overloaded: () => false }),
    bodyLimit,
    replicas: inProcess(10),
    memory: createResponseMemory(cacheMemory),
  })
  t.teardown(runtime.close)

  await t.rejects(runtime.send(outbound()), { code: 'GATEWAY_USER_TOKEN_REQUIRED' })
  t.same(emulator.received, [])
  t.same(emulator.tokenRequests, [])
})
