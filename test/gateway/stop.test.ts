import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'

import t from 'tap'

import { gatewayFor } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

t.test('is ready once it has a token, without a call to Dynamics', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  await until(async () => (await fetch(`${url}/-/readyz`)).status === 200)
  for (let count = 0; count < 50; count++) await fetch(`${url}/-/readyz`)

  t.equal((await fetch(`${url}/-/livez`)).status, 200)
  t.equal(emulator.received.length, 0)
  t.equal(emulator.tokenRequests.length, 1)
})

t.test('is alive but not ready while Entra issues no token', async (t) => {
  const { url, emulator } = await gatewayFor(t, { AZURE_CLIENT_SECRET: 'wrong' })

  await until(() => emulator.tokenRequests.length > 0)
  const ready = await fetch(`${url}/-/readyz`)

  t.equal((await fetch(`${url}/-/livez`)).status, 200)
  t.equal(ready.status, 503)
  t.notMatch(await ready.text(), /AADSTS/)
})

t.test('finishes running requests when it stops, and does not wait for idle connections', async (t) => {
  const { url, emulator, running } = await gatewayFor(t)
  await fetch(`${url}/WhoAmI`)
  emulator.faults.dataverse.push({ kind: 'delay', ms: 700 })
  const { port } = new URL(url)
  const idle = connect(Number(port), '127.0.0.1')
  await once(idle, 'connect')

  const slow = fetch(`${url}/accounts?$top=1`)
  await until(() => emulator.load.current > 0)
  running.stop()
  const ready = await fetch(`${url}/-/readyz`)
  const answer = await slow
  await running.stopped

  t.equal(ready.status, 503)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('connection'), 'close')
})

t.test('answers requests on a keep-alive connection while it stops', async (t) => {
  const { url, running } = await gatewayFor(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const ask = async (): Promise<IncomingMessage> => {
    const [response] = (await once(request(`${url}/WhoAmI`, { agent }).end(), 'response')) as [IncomingMessage]
    await once(response.resume(), 'end')
    return response
  }

  const before = await ask()
  running.stop()
  const during = await ask()
  await running.stopped

  t.equal(before.headers.connection, 'keep-alive')
  t.equal(during.statusCode, 200)
  t.equal(during.headers.connection, 'close')
})

t.test('does not wait for a request that hangs longer than SHUTDOWN_TIMEOUT', async (t) => {
  const { url, emulator, running } = await gatewayFor(t, { SHUTDOWN_TIMEOUT: '500ms' })
  emulator.faults.dataverse.push({ kind: 'hang' })

  const hanging = fetch(`${url}/accounts`).then(
    () => 'answered',
    () => 'cut',
  )
  await until(() => emulator.load.current > 0)
  running.stop()
  await running.stopped

  t.equal(await hanging, 'cut')
})

t.test('a second signal ends the process at once', async (t) => {
  const { url, emulator, running } = await gatewayFor(t, { SHUTDOWN_TIMEOUT: '1h' })
  emulator.faults.dataverse.push({ kind: 'hang' })

  const hanging = fetch(`${url}/accounts`).then(
    () => 'answered',
    () => 'cut',
  )
  await until(() => emulator.load.current > 0)
  running.stop()
  running.stop()
  await running.stopped

  t.equal(await hanging, 'cut')
})
