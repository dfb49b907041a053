import { readProxies } from '../../src/config/proxies.ts'
import { outbound, connectionFixture } from './connection-fixture.ts'

// Sends one request to each origin it is given and prints the status or the error's code, a line each: a process of its
// own, because Node reads NODE_EXTRA_CA_CERTS when it starts.

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
