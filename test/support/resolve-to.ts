import { readProxies } from '../../src/config/proxies.ts'
import { outbound, connectionFixture } from './connection-fixture.ts'

// Sends one request to each given origin and prints the status or the error code, one line each: in its
// own process, because Node reads NODE_EXTRA_CA_CERTS at startup.

const proxies = readProxies(process.env, [])
const clean: (() => unknown)[] = []
for (const origin of process.argv.slice(2)) {
  const { send } = connectionFixture({ teardown: (one) => clean.push(one) }, origin, {}, undefined, { proxies })
  try {
    const { status, body } = await send(outbound({ method: 'POST', body: Buffer.from('{}') }))
    body.dump()
    console.log(status)
  } catch (error) {
    const { code, cause } = error as { code: string; cause: { code?: string } }
    console.log(code, cause.code)
  }
}
for (const one of clean) await one()
