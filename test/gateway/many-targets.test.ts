import { join } from 'node:path'

import t from 'tap'
import { Agent } from 'undici'

import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/schema.ts'
import { gatewayWithFile } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const TARGETS = 200

t.test(
  `of ${TARGETS} targets one is added, one removed and one changed, without effect on requests of the others`,
  async (t) => {
    const names = Array.from({ length: TARGETS }, (_, number) => `t${number}`)
    let registration: object = {}
    const fileOf = (names: readonly string[], maxRetryWait = '10s'): object => ({
      trustNetwork: true,
      targets: names.map((name) => ({
        name,
        url: 'https://contoso.crm4.dynamics.com',
        credential: registration,
        ...(name === 't1' ? { maxRetryWait } : {}),
      })),
    })
    const gateway = await gatewayWithFile(t, (credential) => {
      registration = credential
      return fileOf(names)
    })
    const { url, emulator, running, next } = gateway
    const agent = new Agent({ connections: 32 })
    t.teardown(() => agent.close())
    const statusOf = async (path: string): Promise<number> => {
      const { statusCode, body } = await agent.request({ origin: url, path, method: 'GET' })
      await body.dump()
      return statusCode
    }
    await until(async () => (await statusOf('/-/readyz')) === 200)

    // Requests to all targets that stay: short ones all the time, and one each that takes longer than the change.
    emulator.faults.dataverse.push({ kind: 'delay', ms: 3000, path: 'accounts', times: 20 })
    const slow = Array.from({ length: 20 }, (_, number) => statusOf(`/t${number * 9}/accounts?$top=1`))
    const short: Promise<number>[] = []
    let turn = 0
    const traffic = setInterval(() => short.push(statusOf(`/t${turn++ % (TARGETS - 1)}/WhoAmI`)), 5)
    t.teardown(() => clearInterval(traffic))

    const changed = fileOf([...names.slice(0, -1), 'added'], '9s')
    next.settings = settingsIn(t.testdir({ 'next.json': JSON.stringify(changed) }), emulator.clientSecret)
    running.reload()
    await until(async () => (await statusOf('/added/WhoAmI')) === 200)
    t.equal(await statusOf(`/t${TARGETS - 1}/WhoAmI`), 404)
    clearInterval(traffic)

    t.same(new Set(await Promise.all(slow)), new Set([200]), 'requests that were running')
    const statuses = await Promise.all(short)
    t.same(new Set(statuses), new Set([200]), 'requests that arrived meanwhile')
    t.ok(statuses.length > 20, `${statuses.length} requests`)
  },
)

function settingsIn(folder: string, secret: string): Settings {
  return loadSettings({ SECRET: secret, PORT: '0', SHUTDOWN_TIMEOUT: '10s' }, join(folder, 'next.json'))
}
